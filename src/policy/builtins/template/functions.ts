import { isUtf8 } from 'node:buffer';
import { BuiltinError } from '../builtin.js';
import { sprintf, sprint } from '../go/printf.js';
import { GoFloat, GoInt, GoJsonNumber, type GoValue, isMap, isSlice, typeName } from '../go/values.js';
import { escapeQuery } from '../url-query.js';
import { LimitError } from '../limit.js';
import { equal, less } from './compare.js';
import { htmlEscaped, jsEscaped } from './escape.js';

/** What a template computes with: a value of Go, or none at all. */
export type Value = GoValue | undefined;

export interface TemplateFunction {
  readonly least: number;
  readonly most: number;
  readonly call: (...operands: Value[]) => Value;
}

function fixed(count: number, call: TemplateFunction['call']): TemplateFunction {
  return { least: count, most: count, call };
}

function variadic(least: number, call: TemplateFunction['call']): TemplateFunction {
  return { least, most: Infinity, call };
}

/** `and` and `or` get here when no operand has settled them: the execution evaluates no more than they need. */
export const FUNCTIONS: { readonly [name: string]: TemplateFunction } = {
  and: variadic(1, (...operands) => operands.at(-1)),
  or: variadic(1, (...operands) => operands.at(-1)),
  not: fixed(1, (value) => !truth(value)),
  len: fixed(1, (value) => new GoInt(BigInt(length(value)))),
  index: variadic(1, (item, ...indexes) => indexes.reduce(indexed, present(item, 'index'))),
  slice: variadic(1, sliced),
  print: variadic(0, (...operands) => printed(operands.map(orNull))),
  println: variadic(0, (...operands) => `${operands.map((value) => sprint(orNull(value))).join(' ')}\n`),
  printf: variadic(1, (format, ...operands) => {
    if (typeof format !== 'string') throw new BuiltinError('template: wrong type for value; expected string');
    return sprintf(format, operands.map(orNull));
  }),
  html: variadic(0, (...operands) => htmlEscaped(asText(operands))),
  js: variadic(0, (...operands) => jsEscaped(asText(operands))),
  urlquery: variadic(0, (...operands) => escapeQuery(asText(operands))),
  call: variadic(1, () => {
    throw new BuiltinError('template: error calling call: non-function');
  }),
  eq: variadic(1, (first, ...others) => {
    if (others.length === 0) throw new BuiltinError('template: missing argument for comparison');
    return others.some((other) => equal(first, other));
  }),
  ne: fixed(2, (a, b) => !equal(a, b)),
  lt: fixed(2, (a, b) => less(a, b)),
  le: fixed(2, (a, b) => less(a, b) || equal(a, b)),
  gt: fixed(2, (a, b) => !(less(a, b) || equal(a, b))),
  ge: fixed(2, (a, b) => !less(a, b)),
};

function orNull(value: Value): GoValue {
  return value ?? null;
}

/** A number of the data is true whatever it is: to Go it is a text that is not empty. */
export function truth(value: Value): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return value !== '';
  if (value instanceof GoJsonNumber) return value.text !== '';
  if (value instanceof GoInt) return value.value !== 0n;
  if (value instanceof GoFloat) return value.value !== 0;
  return isMap(value) ? value.size > 0 : isSlice(value) && value.length > 0;
}

function present(value: Value, name: string): GoValue {
  if (value === undefined || value === null) throw new BuiltinError(`template: ${name} of untyped nil`);
  return value;
}

/** The text of a string, and of a number of the data. */
function textOf(value: GoValue): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof GoJsonNumber ? value.text : undefined;
}

function length(value: Value): number {
  const item = present(value, 'len');
  const text = textOf(item);
  if (text !== undefined) return Buffer.byteLength(text);
  if (isMap(item)) return item.size;
  if (isSlice(item)) return item.length;
  throw new BuiltinError(`template: len of type ${typeName(item)}`);
}

function position(index: Value, most: number): number {
  if (!(index instanceof GoInt)) throw new BuiltinError('template: cannot index slice/array with that type');
  if (index.value < 0n || index.value > BigInt(most))
    throw new BuiltinError(`template: index out of range: ${index.value}`);
  return Number(index.value);
}

function indexed(item: Value, index: Value): Value {
  const whole = present(item, 'index');
  if (isMap(whole)) {
    if (typeof index !== 'string') throw new BuiltinError('template: value should be string');
    return whole.get(index) ?? null;
  }
  if (isSlice(whole)) {
    const found = whole[position(index, whole.length)];
    if (found === undefined) throw new BuiltinError('template: index out of range');
    return found;
  }
  const text = textOf(whole);
  if (text === undefined) throw new BuiltinError(`template: can't index item of type ${typeName(whole)}`);
  const bytes = Buffer.from(text);
  const byte = bytes[position(index, bytes.length)];
  if (byte === undefined) throw new BuiltinError('template: index out of range');
  return new GoInt(BigInt(byte), 'uint8');
}

function sliced(item: Value, ...indexes: Value[]): Value {
  const whole = present(item, 'slice');
  if (isSlice(whole)) {
    if (indexes.length > 3) throw new BuiltinError('template: too many slice indexes');
    return whole.slice(...bounds(indexes, whole.length, listPosition));
  }
  const text = textOf(whole);
  if (text === undefined) throw new BuiltinError(`template: can't slice item of type ${typeName(whole)}`);
  if (indexes.length > 2) throw new BuiltinError('template: cannot 3-index slice a string');
  const bytes = Buffer.from(text);
  const cut = bytes.subarray(...bounds(indexes, bytes.length, position));
  if (!isUtf8(cut)) throw new LimitError('strings.render_template: a slice that cuts a character apart');
  const part = cut.toString('utf8');
  return whole instanceof GoJsonNumber ? new GoJsonNumber(part) : part;
}

function bounds(
  indexes: readonly Value[],
  size: number,
  at: (index: Value, size: number) => number,
): [from: number, to: number] {
  const [from = 0, to = size, most = size] = indexes.map((index) => at(index, size));
  if (from > to || to > most) throw new BuiltinError('template: invalid slice index');
  return [from, to];
}

/** Go lets a slice end beyond its list, where the list's memory goes on: how far depends on how it was grown. */
function listPosition(index: Value, size: number): number {
  if (index instanceof GoInt && index.value > BigInt(size))
    throw new LimitError('strings.render_template: a slice that ends beyond its list');
  return position(index, size);
}

/** `fmt.Sprint`: a space between two operands of which neither is a string. */
function printed(operands: readonly GoValue[]): string {
  let out = '';
  for (const [i, value] of operands.entries()) {
    const apart = i > 0 && textOf(value) === undefined && textOf(operands[i - 1]!) === undefined;
    out += (apart ? ' ' : '') + sprint(value);
  }
  return out;
}

/** As the escapers take their operands, to whom nil is no value. */
function asText(operands: readonly Value[]): string {
  return printed(operands.map((value) => value ?? '<no value>'));
}
