import { ExactNumber, exactNumber, stringifyExact, type ExactJson } from '../json/exact.js';
import { RegoObject, RegoSet, type RegoValue } from './value.js';

/** What reads a result goes down as deep as it finds things. */
const DEEPEST = 500;

/**
 * A value as OPA writes it in JSON: a set becomes an array, in Rego's order, and a key that is no string becomes
 * its JSON.
 *
 * @throws RangeError for a value nested deeper than 500, and for two keys that become the same string
 */
export function toJson(value: RegoValue, depth = 0): ExactJson {
  if (typeof value !== 'object' || value === null) return value;
  // `1.0` keeps its text in Rego; for whoever reads a result it is 1.
  if (value instanceof ExactNumber) return exactNumber(value.text, /^-?[0-9]+$/.test(value.text));
  if (depth > DEEPEST) throw new RangeError('the result is nested too deeply');
  if (!(value instanceof RegoObject)) {
    const elements = value instanceof RegoSet ? value.elements : value;
    return elements.map((element) => toJson(element, depth + 1));
  }
  const members: { [name: string]: ExactJson } = {};
  for (const [key, item] of value.entries) {
    const name = typeof key === 'string' ? key : stringifyExact(toJson(key, depth + 1));
    if (Object.hasOwn(members, name))
      throw new RangeError('two keys of a result become the same member name');
    const member = toJson(item, depth + 1);
    if (name === '__proto__') Object.defineProperty(members, name, { value: member, enumerable: true });
    else members[name] = member;
  }
  return members;
}
