import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { parseExact, type ExactJson } from '../json/exact.js';
import { type Unreadable, unreadable } from './bundle-refusal.js';

/** A document of `data`: an object by names. */
export interface Data {
  [name: string]: ExactJson;
}

/** Whether a file of this name (without folders) holds data in YAML. */
export function isYaml(file: string): boolean {
  return file === 'data.yaml' || file === 'data.yml';
}

function utf8(content: Uint8Array): string {
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('utf8');
}

/** Objects and arrays within each other in a data file, and folders within each other. */
const DEEPEST = 256;

const require = createRequire(import.meta.url);

/** Integers stay exact, as in JSON. */
export function readYaml(text: string): ExactJson {
  // Most policies have none, and what reads it would stay in a server's heap.
  const { parse } = require('yaml') as typeof Yaml;
  return yamlValue(parse(text, { intAsBigInt: true, logLevel: 'error' }), 0);
}

/** @throws RangeError for what JSON does not have: a cycle of anchors, a number that is none */
function yamlValue(value: unknown, depth: number): ExactJson {
  if (depth > DEEPEST) throw new RangeError('nested too deeply');
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('not a number of JSON');
  if (Array.isArray(value)) return value.map((item) => yamlValue(item, depth + 1));
  if (typeof value !== 'object' || value === null) return value as ExactJson;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, yamlValue(member, depth + 1)]),
  );
}

/** A data file's folder is the place of its content under `data`, as OPA has it. */
export function readData(files: ReadonlyMap<string, Uint8Array>): { readonly data: Data } | Unreadable {
  const data: Data = {};
  for (const [name, content] of files) {
    const folders = name.split('/');
    const file = folders.pop()!;
    const text = utf8(content);
    let value: ExactJson | undefined;
    if (file === 'data.json') value = attempt(() => parseExact(text, { maxDepth: DEEPEST }));
    else if (isYaml(file)) value = attempt(() => readYaml(text));
    else continue;
    if (folders.length > DEEPEST) return unreadable(`${file} stands in more than ${DEEPEST} folders`);
    if (!isObject(value)) return unreadable(`${name} is not an object`);
    const conflict = merge(data, folders, value);
    if (conflict !== undefined) return unreadable(`${name}: data.${conflict} stands in another file as well`);
  }
  return { data };
}

/** Puts `value` at `path`; where a value is there already, returns its name. */
function merge(data: Data, path: readonly string[], value: ExactJson): string | undefined {
  const nested = path.reduceRight<ExactJson>((inner, name) => ({ [name]: inner }), value);
  return mergeObjects(data, nested as Data);
}

/**
 * Puts all of `from` into `into`; returns the first place that both have, as `a.b`. Objects that both have are
 * copied before they change: they may be those of a bundle that is put together with others again.
 */
export function mergeObjects(into: Data, from: Data, path: readonly string[] = []): string | undefined {
  for (const [name, value] of Object.entries(from)) {
    const present = Object.hasOwn(into, name) ? into[name] : undefined;
    if (present === undefined) put(into, name, value);
    else if (isObject(present) && isObject(value)) {
      const both = { ...present };
      put(into, name, both);
      const conflict = mergeObjects(both, value, [...path, name]);
      if (conflict !== undefined) return conflict;
    } else return [...path, name].join('.');
  }
  return undefined;
}

function put(into: Data, name: string, value: ExactJson): void {
  Object.defineProperty(into, name, { value, enumerable: true, writable: true, configurable: true });
}

/** A JSON object, and not a number in disguise. */
export function isObject(value: ExactJson | undefined): value is Data {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** The value, or undefined where there is an exception instead. */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
