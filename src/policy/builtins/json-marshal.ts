import { RegoObject, RegoSet, type RegoValue, compareValues } from '../value.js';
import { ExactNumber } from '../../json/exact.js';
import { type Builtins, BuiltinError, operand } from './builtin.js';
import { quoted } from './go/quote.js';
import { Budget } from './limit.js';
import { numberText, regoText } from './rego-text.js';

/** json.marshal_with_options */
export const JSON_MARSHAL: Builtins = {
  'json.marshal_with_options'(_, value, options) {
    const { pretty, prefix, indent } = read(operand(options, 2, 'object'));
    if (!pretty) return marshal(value);
    const budget = new Budget(
      LONGEST,
      `json.marshal_with_options: a text of more than ${LONGEST} characters`,
    );
    return prefix + indented(value, { prefix, indent, budget }, '\n' + prefix);
  },
};

/** Characters of one text: an indentation may be long, and every line has it. */
const LONGEST = 4 * 1024 * 1024;

interface Options {
  readonly pretty: boolean;
  readonly prefix: string;
  readonly indent: string;
}

/** Asking for a prefix or an indentation asks for lines, unless `pretty` says no. */
function read(options: RegoObject): Options {
  for (const key of options.keys())
    if (key !== 'pretty' && key !== 'prefix' && key !== 'indent')
      throw new BuiltinError(
        typeof key === 'string'
          ? `operand 2 object contained unknown key ${quoted(key)}`
          : `operand 2 failed to stringify key ${regoText(key)}`,
      );
  const [prefix, indent, pretty] = ['prefix', 'indent', 'pretty'].map((name) => options.get(name));
  if (prefix !== undefined && typeof prefix !== 'string')
    throw new BuiltinError('operand 2 key "prefix" failed cast to string');
  if (indent !== undefined && typeof indent !== 'string')
    throw new BuiltinError('operand 2 key "indent" failed cast to string');
  if (pretty !== undefined && typeof pretty !== 'boolean')
    throw new BuiltinError('operand 2 key "pretty" failed cast to bool');
  return {
    pretty: pretty ?? (prefix !== undefined || indent !== undefined),
    prefix: prefix ?? '',
    indent: indent ?? '\t',
  };
}

/** JSON as Go writes it, which escapes what HTML would take for markup. Sets become arrays. */
export function marshal(value: RegoValue): string {
  if (value instanceof RegoObject)
    return `{${members(value)
      .map(([name, item]) => `${jsonString(name)}:${marshal(item)}`)
      .join(',')}}`;
  if (value instanceof RegoSet || Array.isArray(value))
    return `[${Array.from(value as Iterable<RegoValue>, marshal).join(',')}]`;
  return scalar(value);
}

interface Lines {
  readonly prefix: string;
  readonly indent: string;
  readonly budget: Budget;
}

/** @param newline what a line of this depth begins with, the end of the line before it included */
function indented(value: RegoValue, lines: Lines, newline: string): string {
  const inner = newline + lines.indent;
  if (value instanceof RegoObject)
    return enclosed(
      '{}',
      members(value).map(([name, item]) => `${jsonString(name)}: ${indented(item, lines, inner)}`),
      newline,
      lines,
    );
  if (value instanceof RegoSet || Array.isArray(value))
    return enclosed(
      '[]',
      Array.from(value as Iterable<RegoValue>, (item) => indented(item, lines, inner)),
      newline,
      lines,
    );
  const text = scalar(value);
  lines.budget.spend(text.length);
  return text;
}

function enclosed(
  brackets: string,
  items: readonly string[],
  newline: string,
  { indent, budget }: Lines,
): string {
  if (items.length === 0) return brackets;
  const inner = newline + indent;
  budget.spend((items.length + 1) * inner.length);
  return `${brackets[0]}${inner}${items.join(`,${inner}`)}${newline}${brackets[1]}`;
}

/** In the order of their names; of two keys that come to the same name the later one counts. */
export function members(object: RegoObject): [string, RegoValue][] {
  const byName = new Map(Array.from(object, ([key, item]) => [memberName(key), item] as const));
  return [...byName].sort(([a], [b]) => compareValues(a, b));
}

/** A key that is no string goes by its JSON. */
export function memberName(key: RegoValue): string {
  return typeof key === 'string' ? key : marshal(key);
}

function scalar(value: RegoValue): string {
  if (typeof value === 'string') return jsonString(value);
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber)
    return numberText(value);
  return String(value);
}

/** `encoding/json` escapes <, > and & for HTML's sake, and two line ends for JavaScript's. */
function jsonString(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
