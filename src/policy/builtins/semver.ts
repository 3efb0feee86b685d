import { type Builtins, BuiltinError, operand } from './builtin.js';
import { quoted } from './go/quote.js';

/** semver.* (semver.org 2.0.0, with Go's leave to write a leading `v`) */
export const SEMVER: Builtins = {
  'semver.compare'(_, a, b) {
    return compare(version(operand(a, 1, 'string'), 1), version(operand(b, 2, 'string'), 2));
  },

  'semver.is_valid'(_, text) {
    return typeof text === 'string' && parse(text) !== undefined;
  },
};

interface Version {
  readonly numbers: readonly bigint[];
  /** None for a release. */
  readonly identifiers: readonly string[];
}

function version(text: string, position: number): Version {
  const parsed = parse(text);
  if (parsed === undefined)
    throw new BuiltinError(`operand ${position}: string ${quoted(text)} is not a valid SemVer`);
  return parsed;
}

const IDENTIFIERS = /^[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*$/;
const NUMERIC = /^(0|[1-9][0-9]*)$/;
const LARGEST = 2n ** 63n - 1n;

function parse(text: string): Version | undefined {
  const [rest, metadata] = cut(text.replace(/^v/, ''), '+');
  if (metadata !== undefined && !IDENTIFIERS.test(metadata)) return undefined;
  const [core, prerelease] = cut(rest, '-');
  if (prerelease !== undefined && !IDENTIFIERS.test(prerelease)) return undefined;
  const identifiers = prerelease?.split('.') ?? [];
  if (identifiers.some((identifier) => isNumber(identifier) && !NUMERIC.test(identifier))) return undefined;
  const parts = core.split('.');
  // A number of 64 bits has no more than 19 digits.
  if (parts.length !== 3 || !parts.every((part) => NUMERIC.test(part) && part.length < 20)) return undefined;
  const numbers = parts.map(BigInt);
  return numbers.every((number) => number <= LARGEST) ? { numbers, identifiers } : undefined;
}

function cut(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** semver.org, item 11. */
function compare(a: Version, b: Version): number {
  for (const [i, number] of a.numbers.entries()) {
    const other = b.numbers[i]!;
    if (number !== other) return number < other ? -1 : 1;
  }
  if (a.identifiers.length === 0 || b.identifiers.length === 0)
    return Math.sign(b.identifiers.length - a.identifiers.length);
  for (const [i, identifier] of a.identifiers.entries()) {
    const other = b.identifiers[i];
    if (other === undefined) return 1;
    const order = compareIdentifiers(identifier, other);
    if (order !== 0) return order;
  }
  return a.identifiers.length < b.identifiers.length ? -1 : 0;
}

/** Numbers come before words; the longer number is the greater, so that none has to be converted. */
function compareIdentifiers(a: string, b: string): number {
  if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
  if (isNumber(a) && a.length !== b.length) return a.length < b.length ? -1 : 1;
  return a === b ? 0 : a < b ? -1 : 1;
}

function isNumber(identifier: string): boolean {
  return /^[0-9]+$/.test(identifier);
}
