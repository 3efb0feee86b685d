import { type Data, isObject } from './bundle-data.js';
import { packageOf } from './rego-package.js';

/**
 * Whether data stands where a package of these sources is, so that only the compiler can tell whether a rule and data
 * claim one place. Data elsewhere can change without it.
 */
export function dataMeetsPackages(rego: readonly { readonly content: string }[], data: Data): boolean {
  return rego.some(({ content }) => {
    const path = packageOf(content);
    return path === undefined || stands(data, path);
  });
}

function stands(data: Data, path: readonly string[]): boolean {
  let node: unknown = data;
  for (const name of path) {
    if (!isObject(node as Data) || !Object.hasOwn(node as Data, name)) return false;
    node = (node as Data)[name];
  }
  return true;
}
