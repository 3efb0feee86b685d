import { maskText } from '../../telemetry/masking.js';

const MASKED = '**REDACTED**';

/** Members that hold a credential: headers by their names, as in the decision log, and raw forms of them. */
const SECRET =
  /authorization|cookie|token$|secret|password|api-?key|dpop|assertion|credential|session|signature|^x-auth$|^x-forwarded-client-cert$/i;

/** Shorter ones could be anything, and would be masked out of words. */
const SHORTEST = 6;

/**
 * Makes the function that takes credentials out of whatever is printed about an input: those that it holds under
 * a name that says so, wherever their text comes up again, and anything that looks like one.
 *
 * @param input the policy's input, parsed
 * @returns a function that copies any JSON value
 */
export function concealer(input: unknown): <T>(value: T) => T {
  const secrets = [...secretsOf(input)].sort((a, b) => b.length - a.length);
  const text = (plain: string): string => {
    let clean = plain;
    for (const secret of secrets) clean = clean.replaceAll(secret, MASKED);
    return maskText(clean);
  };
  const copy = (value: unknown): unknown => {
    if (typeof value === 'string') return text(value);
    if (Array.isArray(value)) return value.map(copy);
    if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
      return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [text(name), copy(member)]));
  };
  return copy as <T>(value: T) => T;
}

/** The texts as they are, as Rego writes them, and of a header that names its scheme the credential alone. */
function secretsOf(input: unknown, under = false, found = new Set<string>()): Set<string> {
  if (typeof input === 'string') {
    if (!under) return found;
    for (const secret of [input, ...input.split(/[\s;,=]+/)]) {
      if (secret.length < SHORTEST) continue;
      found.add(secret);
      found.add(JSON.stringify(secret).slice(1, -1));
    }
  } else if (Array.isArray(input)) {
    for (const item of input) secretsOf(item, under, found);
  } else if (typeof input === 'object' && input !== null) {
    for (const [name, member] of Object.entries(input)) {
      // Envoy's own list of headers has name and value beside each other.
      const named = 'key' in input && 'value' in input && SECRET.test(String(input.key)) && name === 'value';
      const holds = typeof member === 'string' || Array.isArray(member);
      secretsOf(member, named || (holds && SECRET.test(name)), found);
    }
  }
  return found;
}
