import type { ExactJson } from '../json/exact.js';
import type { JsonObject } from '../jws/compact.js';

/** The way to a claim: the name of a claim, and of members within it. */
export type ClaimPath = readonly string[];

/** Which claims of an issuer say what its tokens grant. Several are taken together, in this order. */
export interface ClaimMapping {
  readonly scopes: readonly ClaimPath[];
  readonly roles: readonly ClaimPath[];
  readonly groups: readonly ClaimPath[];
}

/** `scope` of RFC 8693 section 4.2, `scp` of Microsoft's and Okta's tokens; the others of RFC 9068 section 2.2.3.1. */
export const COMMON_CLAIMS: ClaimMapping = {
  scopes: [['scope'], ['scp']],
  roles: [['roles']],
  groups: [['groups']],
};

export interface Grants {
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  readonly groups: readonly string[];
}

/** A claim's path from what configuration has: a name as it is, or a JSON pointer (RFC 6901) into a claim. */
export function parseClaimPath(text: string): ClaimPath {
  if (!text.startsWith('/')) return [text];
  return text
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/**
 * What a token grants. A claim that is not there grants nothing; one of another form than a string or an array of
 * strings is nothing that can be passed over.
 *
 * @returns the grants, or the path of the claim whose form is wrong
 */
export function readGrants(claims: JsonObject, mapping: ClaimMapping): Grants | ClaimPath {
  // RFC 8693 section 4.2 splits `scope` at spaces. Names of roles and groups may have spaces in them: "not admin" must
  // not become "admin".
  const scopes = collect(claims, mapping.scopes, (text) => text.split(' ').filter((scope) => scope !== ''));
  if ('wrong' in scopes) return scopes.wrong;
  const roles = collect(claims, mapping.roles, whole);
  if ('wrong' in roles) return roles.wrong;
  const groups = collect(claims, mapping.groups, whole);
  if ('wrong' in groups) return groups.wrong;
  return { scopes: scopes.values, roles: roles.values, groups: groups.values };
}

const whole = (text: string): string[] => (text === '' ? [] : [text]);

function collect(
  claims: JsonObject,
  paths: readonly ClaimPath[],
  split: (text: string) => string[],
): { readonly values: readonly string[] } | { readonly wrong: ClaimPath } {
  let all: string[] | undefined;
  for (const path of paths) {
    const value = find(claims, path);
    if (value === undefined) continue;
    const found = typeof value === 'string' ? split(value) : value;
    if (!isStrings(found)) return { wrong: path };
    all = all === undefined ? [...found] : [...new Set([...all, ...found])];
  }
  return { values: all ?? [] };
}

/** What stands at a path; undefined where a part of the way is missing or no object. */
function find(claims: JsonObject, path: ClaimPath): ExactJson | undefined {
  let value: ExactJson | undefined = claims as { [name: string]: ExactJson };
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

function isObject(value: ExactJson | undefined): value is { [name: string]: ExactJson } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function isStrings(value: ExactJson | readonly string[]): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
