import { define } from '../json/define.js';
import type { ExactJson } from '../json/exact.js';

/** What an entrypoint can depend on besides data, as the compiler found it. It may say too much, never too little. */
export interface EntrypointReads {
  /** Paths in the input, each with all that is below it. One of no names is the whole input. */
  readonly input: readonly (readonly string[])[];
  /** Whether equal inputs give equal results: neither the time nor chance is asked. */
  readonly pure: boolean;
}

/** By entrypoint. */
export type PolicyReads = ReadonlyMap<string, EntrypointReads>;

/**
 * `metadata.countersign.reads` of a bundle's manifest, which our compiler writes. What is not of its form says
 * nothing: the whole input is then given, and nothing is remembered.
 */
export function readReads(metadata: ExactJson | undefined): PolicyReads {
  const reads = member(member(metadata, 'countersign'), 'reads');
  const found = new Map<string, EntrypointReads>();
  if (!isObject(reads)) return found;
  for (const [entrypoint, value] of Object.entries(reads)) {
    const input = member(value, 'input');
    const pure = member(value, 'pure');
    if (Array.isArray(input) && input.every(isPath) && typeof pure === 'boolean')
      found.set(entrypoint, { input, pure });
  }
  return found;
}

type Tree = ReadonlyMap<string, Tree | 'all'>;

/**
 * Cuts an input down to what is read of it. Parts are handed over as they are, not copied.
 *
 * @returns undefined where all of it is read, so that there is nothing to cut
 */
export function pruner(paths: EntrypointReads['input']): ((input: unknown) => unknown) | undefined {
  if (paths.some((path) => path.length === 0)) return undefined;
  const tree = treeOf(paths);
  return (input) => (isObject(input) ? prune(input, tree) : input);
}

function treeOf(paths: EntrypointReads['input']): Tree {
  const tree = new Map<string, Tree | 'all'>();
  for (const name of new Set(paths.map(([first]) => first!))) {
    const below = paths.filter(([first]) => first === name).map((path) => path.slice(1));
    tree.set(name, below.some((path) => path.length === 0) ? 'all' : treeOf(below));
  }
  return tree;
}

function prune(input: { readonly [name: string]: unknown }, tree: Tree): object {
  const out: { [name: string]: unknown } = {};
  for (const [name, below] of tree) {
    if (!Object.hasOwn(input, name)) continue;
    const value = input[name];
    if (below === 'all') define(out, name, value);
    // A text or a list has no members of these names, but it is there: `input.a` itself may be asked about.
    else define(out, name, isObject(value) ? prune(value, below) : value);
  }
  return out;
}

function isObject(value: unknown): value is { readonly [name: string]: ExactJson } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function member(value: ExactJson | undefined, name: string): ExactJson | undefined {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function isPath(value: ExactJson): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}
