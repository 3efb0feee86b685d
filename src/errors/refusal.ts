/**
 * A stage's answer when it does not vouch for what it was given. It is a value, not an exception: bad
 * input is expected, and every caller has to look at it.
 *
 * `code` comes from the stage's closed union. `detail` is written for the operator's log; it never holds a
 * token, a key or a cookie, and it is never sent to the client.
 */
export interface Refusal<Code extends string = string> {
  readonly refused: true;
  readonly code: Code;
  readonly detail: string;
}

/** Makes a {@link Refusal}. */
export function refuse<Code extends string>(code: Code, detail: string): Refusal<Code> {
  return { refused: true, code, detail };
}

/** Tells a refusal from a stage's value. */
export function isRefusal<T>(outcome: T): outcome is Extract<T, { refused: true }> {
  return typeof outcome === 'object' && outcome !== null && (outcome as Partial<Refusal>).refused === true;
}
