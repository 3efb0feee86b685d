import { readdir, readFile, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { isRefusal } from '../../errors/refusal.js';
import { unpackBundle } from '../../policy/bundle-archive.js';
import { Failure } from '../failure.js';

export interface InspectedFiles {
  readonly kind: 'bundle' | 'folder';
  /** By their names, without a slash in front, in their order. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** Of the archive; absent for a folder. */
  readonly archive?: Uint8Array;
}

const MOST_BYTES = 256 * 1024 * 1024;

/** @throws Failure for what is no bundle */
export async function bundleFiles(path: string, archive: Buffer): Promise<InspectedFiles> {
  const files = await unpackBundle(archive, MOST_BYTES);
  if (isRefusal(files)) throw new Failure(`${path}: ${files.detail}`, 2);
  return { kind: 'bundle', files: sorted(files), archive };
}

/** Everything in a folder that a bundle of it could hold: no dot files but a bundle's own, no node_modules. */
export async function folderFiles(folder: string): Promise<InspectedFiles> {
  const files = new Map<string, Buffer>();
  for (const path of await readdir(folder, { recursive: true })) {
    const name = path.split(sep).join('/');
    if (!belongs(name)) continue;
    const file = join(folder, path);
    if ((await stat(file)).isFile()) files.set(name, await readFile(file));
  }
  return { kind: 'folder', files: sorted(files) };
}

const OWN = new Set(['.manifest', '.signatures.json']);

function belongs(name: string): boolean {
  return OWN.has(name) || !name.split('/').some((part) => part.startsWith('.') || part === 'node_modules');
}

function sorted(files: ReadonlyMap<string, Buffer>): Map<string, Buffer> {
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}
