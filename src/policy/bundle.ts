import { createHash } from 'node:crypto';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { ExactJson } from '../json/exact.js';
import { unpackBundle } from './bundle-archive.js';
import { type Data, readData } from './bundle-data.js';
import { readManifest, within } from './bundle-manifest.js';
import { type BundleCode, unreadable } from './bundle-refusal.js';
import { packageOf } from './rego-package.js';
import type { PolicyReads } from './reads.js';
import { SIGNATURES, verifyBundle, type Verification } from './signature.js';

/** An OPA bundle that holds Wasm, unpacked and read. */
export interface Bundle {
  /** The manifest's `revision`, or `sha256:` and the first 16 hex digits of the bundle where it has none. */
  readonly revision: string;
  readonly wasm: Uint8Array;
  /** Every data file, merged at the place that its folder gives it. */
  readonly data: { readonly [name: string]: ExactJson };
  /** What the entrypoints read of the input; left out, all of it. */
  readonly reads?: PolicyReads;
}

/** A bundle, which may also hold Rego that is not compiled yet, or data alone. */
export interface BundleContent extends Omit<Bundle, 'wasm'> {
  readonly wasm?: Uint8Array;
  /** `*.rego`, tests aside. Paths as in the archive, without a slash at the front. */
  readonly rego: readonly { readonly path: string; readonly content: string }[];
  /** SHA-256 of where it was read from, in hex: what tells whether anything changed at all. */
  readonly digest: string;
  /** What it owns of `data`, as paths without slashes around them; `''` is all. */
  readonly roots: readonly string[];
  /** Bytes of all its files, the Wasm aside: the time that it takes to read and to load goes by them. */
  readonly bytes: number;
}

/** The same with its data as text of JSON in UTF-8: what threads can share, and what the garbage collector never looks at. */
export interface BundleParcel extends Omit<BundleContent, 'data'> {
  readonly data: Uint8Array;
}

export interface ReadBundleOptions {
  /** Bytes of all files together, unpacked. Default 256 MiB. */
  readonly maxBytes?: number;
  /** It was compiled here and now, so that what its manifest says of its Wasm is about this Wasm. Default false. */
  readonly compiledHere?: boolean;
}

export interface OpenBundleOptions extends ReadBundleOptions {
  /**
   * What the signature is verified by. `none`: there is no key, so that a signed bundle is refused, as OPA does.
   * `ignored`: for tools that decide nothing.
   */
  readonly verification: Verification | 'none' | 'ignored';
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const MOST_BYTES = 256 * 1024 * 1024;

/**
 * Reads a bundle as `countersign build` and `opa build -t wasm` write it: a gzipped tar with `/policy.wasm`,
 * `data.json` or `data.yaml` files, and a `/.manifest`. A signature is not looked at. Never rejects.
 */
export async function readBundle(
  bytes: Uint8Array,
  options: ReadBundleOptions = {},
): Promise<Bundle | Refusal<BundleCode>> {
  const content = await openBundle(bytes, { ...options, verification: 'ignored', now: 0 });
  if (isRefusal(content)) return content;
  const { revision, wasm, data, reads } = content;
  if (wasm === undefined)
    return refuse(
      'bundle_without_policy',
      'the bundle holds no policy.wasm; build it with `countersign build`, or `opa build -t wasm`',
    );
  return { revision, wasm, data, ...(reads && { reads }) };
}

/**
 * Unpacks a bundle once, verifies what was unpacked, and reads that: nothing is read twice, so nothing can change in
 * between. Never rejects.
 */
export async function openBundle(
  bytes: Uint8Array,
  options: OpenBundleOptions,
): Promise<BundleContent | Refusal<BundleCode>> {
  const files = await unpackBundle(bytes, options.maxBytes ?? MOST_BYTES);
  return isRefusal(files) ? files : openFiles(files, bytes, options);
}

/**
 * What {@link openBundle} does once it has unpacked. The files are the caller's no more.
 *
 * @param bytes what they were unpacked from
 */
export async function openFiles(
  files: Map<string, Buffer>,
  bytes: Uint8Array,
  options: OpenBundleOptions,
): Promise<BundleContent | Refusal<BundleCode>> {
  if (files.has('patch.json'))
    return refuse('bundle_delta', 'the bundle is a delta bundle (patch.json); serve the whole as a snapshot');
  const unverified = await checkSignature(files, options);
  if (unverified !== undefined) return unverified;
  files.delete(SIGNATURES);
  const content = readFiles(files, options.compiledHere === true);
  if (isRefusal(content)) return content;
  const digest = sha256(bytes);
  return { ...content, digest, revision: content.revision || `sha256:${digest.slice(0, 16)}` };
}

/** Its digest is told by who has the bytes. */
type Unnamed = Omit<BundleContent, 'digest'>;

async function checkSignature(
  files: ReadonlyMap<string, Buffer>,
  { verification, now }: OpenBundleOptions,
): Promise<Refusal<BundleCode> | undefined> {
  if (verification === 'ignored') return undefined;
  if (verification !== 'none') return verifyBundle(files, verification, now);
  if (!files.has(SIGNATURES)) return undefined;
  return refuse(
    'bundle_signed',
    'the bundle is signed, and there is no key to verify it with; see policy.keys and signing of the bundle',
  );
}

function readFiles(files: ReadonlyMap<string, Buffer>, compiledHere: boolean): Unnamed | Refusal<BundleCode> {
  // Its roots and revision would be lost, and with the roots what it may not touch.
  if (files.has('.manifest.pb')) return unreadable('.manifest.pb is not read; write .manifest, in JSON');
  const manifest = readManifest(files.get('.manifest'));
  if (isRefusal(manifest)) return manifest;
  const read = readData(files);
  if (isRefusal(read)) return read;
  const { revision, roots, regoVersion, reads, readsOf } = manifest;
  const wasm = files.get('policy.wasm');
  const known = wasm !== undefined && (compiledHere || readsOf === sha256(wasm));
  const rego = [...files]
    .filter(([path]) => path.endsWith('.rego') && !path.endsWith('_test.rego'))
    .map(([path, content]) => ({ path, content: content.toString('utf8') }));
  if (wasm === undefined && rego.length > 0 && regoVersion !== 1)
    return unreadable('.manifest: rego_version is not 1; only Rego v1 is compiled here');
  const content = {
    revision,
    roots,
    bytes: bytesOf(files),
    data: read.data,
    rego,
    ...(wasm && { wasm }),
    ...(known && { reads }),
  };
  return outside(content) ?? content;
}

/** {@link BundleContent.bytes} */
export function bytesOf(files: ReadonlyMap<string, Uint8Array>): number {
  let bytes = 0;
  for (const [name, { byteLength }] of files) if (name !== 'policy.wasm') bytes += byteLength;
  return bytes;
}

/** What a bundle may not touch belongs to another one, whoever signed it. */
function outside({ roots, data, rego }: Unnamed): Refusal<BundleCode> | undefined {
  if (roots.includes('')) return undefined;
  const place = firstOutside(roots, data, '');
  if (place !== undefined) return refuse('bundle_roots', `data at ${place} is outside of the bundle's roots`);
  for (const { path, content } of rego) {
    const name = packageOf(content)?.join('/');
    if (name === undefined || !within(roots, name))
      return refuse('bundle_roots', `${path}: its package is outside of the bundle's roots`);
  }
  return undefined;
}

/** The path of a value that no root covers; objects on the way to a root are looked into. */
function firstOutside(roots: readonly string[], data: Data, path: string): string | undefined {
  for (const [name, value] of Object.entries(data)) {
    const place = path === '' ? name : `${path}/${name}`;
    if (within(roots, place)) continue;
    const leads = roots.some((root) => root.startsWith(`${place}/`));
    const object = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!leads || !object) return place;
    const found = firstOutside(roots, value as Data, place);
    if (found !== undefined) return found;
  }
  return undefined;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
