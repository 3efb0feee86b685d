import { RE2JS } from 're2js';
import type { Config } from '../../../config/schema.js';
import type { EnvoyNode } from './document.js';

/** The headers that Countersign decides on, and so has to see. */
export function neededHeaders(config: Config | undefined): readonly string[] {
  const headers = ['content-type'];
  const { token, identity } = config ?? {};
  if (token?.mode !== 'off') headers.push('authorization', ...(token?.binding === 'dpop' ? ['dpop'] : []));
  if (token?.user !== undefined && token.user.mode !== 'off') headers.push(token.user.header);
  if (token?.transaction !== undefined && token.transaction.mode !== 'off') headers.push('txn-token');
  if (identity?.source === 'xfcc') headers.push('x-forwarded-client-cert');
  if (identity?.source === 'jwt_svid') headers.push(identity.jwt_svid!.header);
  if (identity?.source === 'wimse') headers.push('workload-identity-token', 'workload-proof-token');
  return [...new Set(headers)];
}

/** envoy.type.matcher.v3.ListStringMatcher: whether any of its patterns takes a header's name. */
export function matchesHeader(list: EnvoyNode, name: string): boolean {
  return list
    .get('patterns')
    .items()
    .some((pattern) => matches(pattern, name));
}

function matches(pattern: EnvoyNode, name: string): boolean {
  const fold = (text: string) => (pattern.get('ignore_case').isTrue() ? text.toLowerCase() : text);
  const wanted = (kind: string) => {
    const text = pattern.get(kind).text();
    return text === undefined ? undefined : fold(text);
  };
  const [exact, prefix, suffix, contains] = ['exact', 'prefix', 'suffix', 'contains'].map(wanted);
  const regex = pattern.get('safe_regex', 'regex').text();
  return (
    exact === name ||
    (prefix !== undefined && name.startsWith(prefix)) ||
    (suffix !== undefined && name.endsWith(suffix)) ||
    (contains !== undefined && name.includes(contains)) ||
    (regex !== undefined && matchesWhole(regex, name))
  );
}

/** By Envoy's own engine, and the whole of the name as Envoy does. What it cannot read, Envoy does not take. */
function matchesWhole(regex: string, name: string): boolean {
  try {
    return RE2JS.compile(regex).matches(name);
  } catch {
    return false;
  }
}
