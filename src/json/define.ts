/** Plain assignment of a member, but for the one name that it would take as something else. */
export function define(target: { [name: string]: unknown }, name: string, value: unknown): void {
  if (name !== '__proto__') target[name] = value;
  else Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}
