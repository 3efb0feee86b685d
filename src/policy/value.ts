import { ExactNumber } from '../json/exact.js';
import { compareNumbers } from './number.js';

/**
 * A value of Rego as built-ins see it. Numbers are exact: an integer beyond 2^53 - 1 is a bigint, and a number
 * that neither a double nor a bigint holds keeps its text. Strings, arrays, booleans and null are JavaScript's.
 */
export type RegoValue = null | boolean | RegoNumber | string | readonly RegoValue[] | RegoObject | RegoSet;

export type RegoNumber = number | bigint | ExactNumber;

/** The names that OPA has for the types, in the order in which values of different types sort. */
const TYPES = ['null', 'boolean', 'number', 'string', 'array', 'object', 'set'] as const;

export type RegoType = (typeof TYPES)[number];

/** The type's name, as `type_name` gives it. */
export function typeOf(value: RegoValue): RegoType {
  return TYPES[rank(value)]!;
}

/** Where the type stands in the order of types. */
function rank(value: RegoValue): number {
  switch (typeof value) {
    case 'boolean':
      return 1;
    case 'number':
    case 'bigint':
      return 2;
    case 'string':
      return 3;
  }
  if (value === null) return 0;
  if (value instanceof RegoObject) return 5;
  if (value instanceof RegoSet) return 6;
  return value instanceof ExactNumber ? 2 : 4;
}

/**
 * Rego's order of all values: by type, then by content; strings by their code points, as their UTF-8 sorts.
 *
 * @returns below zero, zero, or above zero
 */
export function compareValues(a: RegoValue, b: RegoValue): number {
  if (a === b) return 0;
  const type = rank(a);
  const order = type - rank(b);
  if (order !== 0) return order;
  switch (TYPES[type]!) {
    case 'null':
      return 0;
    case 'boolean':
      return Number(a) - Number(b);
    case 'number':
      return compareNumbers(a as RegoNumber, b as RegoNumber);
    case 'string':
      return compareStrings(a as string, b as string);
    case 'array':
      return compareLists(a as readonly RegoValue[], b as readonly RegoValue[]);
    case 'set':
      return compareLists((a as RegoSet).elements, (b as RegoSet).elements);
    case 'object':
      return compareObjects((a as RegoObject).entries, (b as RegoObject).entries);
  }
}

export function equalValues(a: RegoValue, b: RegoValue): boolean {
  return compareValues(a, b) === 0;
}

/** UTF-16 sorts surrogates below U+E000 to U+FFFF; code points, like UTF-8, sort what they stand for above. */
function compareStrings(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return inCodePointOrder(x) - inCodePointOrder(y);
  }
  return a.length - b.length;
}

function inCodePointOrder(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function compareLists(a: readonly RegoValue[], b: readonly RegoValue[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const order = compareValues(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** As OPA does: key by key in their order, a key before its value. */
function compareObjects(a: readonly Entry[], b: readonly Entry[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const order = compareValues(a[i]![0], b[i]![0]) || compareValues(a[i]![1], b[i]![1]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** A set. It cannot be changed; its elements come in Rego's order, each once. */
export class RegoSet implements Iterable<RegoValue> {
  readonly elements: readonly RegoValue[];

  constructor(elements: Iterable<RegoValue>) {
    this.elements = inOrder([...elements], compareValues);
  }

  get size(): number {
    return this.elements.length;
  }

  has(element: RegoValue): boolean {
    return search(this.elements, (other) => compareValues(other, element)) !== undefined;
  }

  [Symbol.iterator](): Iterator<RegoValue> {
    return this.elements[Symbol.iterator]();
  }
}

type Entry = readonly [key: RegoValue, value: RegoValue];

/** An object. Keys may be any value. It cannot be changed; its entries come in the order of their keys. */
export class RegoObject implements Iterable<Entry> {
  readonly entries: readonly Entry[];

  /** Of two entries with equal keys the later one counts. */
  constructor(entries: Iterable<Entry>) {
    this.entries = inOrder([...entries], ([a], [b]) => compareValues(a, b));
  }

  get size(): number {
    return this.entries.length;
  }

  has(key: RegoValue): boolean {
    return this.get(key) !== undefined;
  }

  get(key: RegoValue): RegoValue | undefined {
    return search(this.entries, ([other]) => compareValues(other, key))?.[1];
  }

  keys(): RegoValue[] {
    return this.entries.map(([key]) => key);
  }

  [Symbol.iterator](): Iterator<Entry> {
    return this.entries[Symbol.iterator]();
  }
}

/** Sorted, and of equal items only the last. Most come in order already. */
function inOrder<T>(items: T[], compare: (a: T, b: T) => number): readonly T[] {
  if (items.every((item, i) => i === 0 || compare(items[i - 1]!, item) < 0)) return items;
  items.sort(compare);
  return items.filter((item, i) => i === items.length - 1 || compare(items[i + 1]!, item) !== 0);
}

/** @param order of an item to the one that is looked for */
function search<T>(sorted: readonly T[], order: (item: T) => number): T | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = sorted[middle]!;
    const found = order(item);
    if (found === 0) return item;
    if (found < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}
