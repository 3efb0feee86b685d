import { parseExact, type ExactJson } from '../json/exact.js';
import { attempt, isObject } from './bundle-data.js';
import { type Unreadable, unreadable } from './bundle-refusal.js';
import { readReads, type PolicyReads } from './reads.js';

/** What of a bundle's `.manifest` matters here. */
export interface Manifest {
  /** Empty where there is none. */
  readonly revision: string;
  /** Paths in `data` that the bundle owns, without slashes around them; `''` is all of it. */
  readonly roots: readonly string[];
  /** Of the sources. 1 where nothing is said, as OPA 1 has it. */
  readonly regoVersion: number;
  /** What the entrypoints of `policy.wasm` read. Empty where our compiler did not write it. */
  readonly reads: PolicyReads;
  /** SHA-256 of the `policy.wasm` that `reads` is about, in hex. */
  readonly readsOf?: string;
}

export function readManifest(file: Uint8Array | undefined): Manifest | Unreadable {
  if (file === undefined) return { revision: '', roots: [''], regoVersion: 1, reads: new Map() };
  const manifest = attempt(() => parseExact(Buffer.from(file).toString('utf8')));
  if (!isObject(manifest)) return unreadable('.manifest is not a JSON object');
  const { revision = '', roots = null, rego_version: regoVersion = 1 } = manifest;
  if (typeof revision !== 'string') return unreadable('.manifest: revision is not a string');
  if (revision.length > 256) return unreadable('.manifest: revision is longer than 256 characters');
  if (typeof regoVersion !== 'number') return unreadable('.manifest: rego_version is not a number');
  if (roots !== null && !(Array.isArray(roots) && roots.every((root) => typeof root === 'string')))
    return unreadable('.manifest: roots is not a list of strings');
  return {
    revision,
    roots: roots === null ? [''] : (roots as string[]).map((root) => root.replace(/^\/+|\/+$/g, '')),
    regoVersion,
    reads: readReads(manifest.metadata),
    ...readsOf(manifest.metadata),
  };
}

/** `metadata.countersign.wasm`, which `countersign build` writes: other tools keep metadata and change the Wasm. */
function readsOf(metadata: ExactJson | undefined): Pick<Manifest, 'readsOf'> {
  const own = isObject(metadata) ? metadata.countersign : undefined;
  const digest = isObject(own) ? own.wasm : undefined;
  return typeof digest === 'string' ? { readsOf: digest } : {};
}

/** Whether one of the two paths is the other, or leads to it. */
export function overlaps(a: string, b: string): boolean {
  return a === '' || b === '' || a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}

/** Whether a path is one of the roots, or below one. */
export function within(roots: readonly string[], path: string): boolean {
  return roots.some((root) => root === '' || path === root || path.startsWith(`${root}/`));
}
