import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { parse as parseYaml } from 'yaml';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { parseExact, type ExactJson } from '../json/exact.js';

/** An OPA bundle that holds Wasm, unpacked and read. */
export interface Bundle {
  /** The manifest's `revision`, or `sha256:` and the first 16 hex digits of the bundle where it has none. */
  readonly revision: string;
  readonly wasm: Uint8Array;
  /** Every data file, merged at the place that its folder gives it. */
  readonly data: { readonly [name: string]: ExactJson };
}

export interface ReadBundleOptions {
  /** Bytes of all files together, unpacked. Default 256 MiB. */
  readonly maxBytes?: number;
}

type Unreadable = Refusal<'policy_unavailable'>;

/**
 * Reads a bundle as `countersign build` and `opa build -t wasm` write it: a gzipped tar with `/policy.wasm`,
 * `data.json` or `data.yaml` files, and a `/.manifest`. Never rejects.
 */
export async function readBundle(
  bytes: Uint8Array,
  options: ReadBundleOptions = {},
): Promise<Bundle | Unreadable> {
  const files = await unpack(bytes, options.maxBytes ?? 256 * 1024 * 1024);
  if (isRefusal(files)) return files;
  const wasm = files.get('policy.wasm');
  if (wasm === undefined)
    return unreadable(
      'the bundle holds no policy.wasm; build it with `countersign build`, or `opa build -t wasm`',
    );
  const manifest = readManifest(files.get('.manifest'));
  if (isRefusal(manifest)) return manifest;
  const read = readData(files);
  if (isRefusal(read)) return read;
  const digest = createHash('sha256').update(bytes).digest('hex');
  return { revision: manifest.revision || `sha256:${digest.slice(0, 16)}`, wasm, data: read.data };
}

function unreadable(detail: string): Unreadable {
  return refuse('policy_unavailable', detail);
}

async function unpack(bytes: Uint8Array, maxBytes: number): Promise<Map<string, Buffer> | Unreadable> {
  const files = new Map<string, Buffer>();
  const archive = extract();
  const source = Readable.from([bytes]);
  const gunzip = createGunzip();
  // An error anywhere ends the loop below, which reads from the last of the three.
  source.on('error', (error) => gunzip.destroy(error)).pipe(gunzip);
  gunzip.on('error', (error) => archive.destroy(error)).pipe(archive);
  let total = 0;
  try {
    for await (const entry of archive) {
      const name = entry.header.name.replace(/^(\.?\/)+/, '');
      if (entry.header.type !== 'file') {
        entry.resume();
        continue;
      }
      if (name.split('/').includes('..')) return unreadable('a file of the bundle has .. in its name');
      if (files.has(name)) return unreadable(`the bundle holds ${name} twice`);
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        total += chunk.length;
        if (total > maxBytes) return unreadable(`the bundle unpacks to more than ${maxBytes} bytes`);
        chunks.push(chunk);
      }
      files.set(name, Buffer.concat(chunks));
    }
  } catch (error) {
    return unreadable(`the bundle is not a gzipped tar archive (${(error as Error).message})`);
  } finally {
    gunzip.destroy();
    archive.destroy();
  }
  return files;
}

function readManifest(file: Buffer | undefined): { revision: string } | Unreadable {
  if (file === undefined) return { revision: '' };
  const manifest = attempt(() => parseExact(file.toString('utf8')));
  if (!isObject(manifest)) return unreadable('.manifest is not a JSON object');
  const { revision = '' } = manifest;
  return typeof revision === 'string' ? { revision } : unreadable('.manifest: revision is not a string');
}

/** Objects and arrays within each other in a data file, and folders within each other. */
const DEEPEST = 256;

/** Integers stay exact, as in JSON. */
function readYaml(text: string): ExactJson {
  return yamlValue(parseYaml(text, { intAsBigInt: true, logLevel: 'error' }), 0);
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
function readData(files: ReadonlyMap<string, Buffer>): Pick<Bundle, 'data'> | Unreadable {
  const data: { [name: string]: ExactJson } = {};
  for (const [name, content] of files) {
    const folders = name.split('/');
    const file = folders.pop()!;
    const text = content.toString('utf8');
    let value: ExactJson | undefined;
    if (file === 'data.json') value = attempt(() => parseExact(text, { maxDepth: DEEPEST }));
    else if (file === 'data.yaml' || file === 'data.yml') value = attempt(() => readYaml(text));
    else continue;
    if (folders.length > DEEPEST) return unreadable(`${file} stands in more than ${DEEPEST} folders`);
    if (!isObject(value)) return unreadable(`${name} is not an object`);
    const conflict = merge(data, folders, value);
    if (conflict !== undefined) return unreadable(`${name}: data.${conflict} stands in another file as well`);
  }
  return { data };
}

/** Puts `value` at `path`; where a value is there already, returns its name. */
function merge(
  data: { [name: string]: ExactJson },
  path: readonly string[],
  value: ExactJson,
): string | undefined {
  const nested = path.reduceRight<ExactJson>((inner, name) => ({ [name]: inner }), value);
  return mergeObjects(data, nested as { [name: string]: ExactJson }, []);
}

function mergeObjects(
  into: { [name: string]: ExactJson },
  from: { [name: string]: ExactJson },
  path: readonly string[],
): string | undefined {
  for (const [name, value] of Object.entries(from)) {
    const present = Object.hasOwn(into, name) ? into[name] : undefined;
    if (present === undefined) {
      Object.defineProperty(into, name, { value, enumerable: true, writable: true, configurable: true });
    } else if (isObject(present) && isObject(value)) {
      const conflict = mergeObjects(present, value, [...path, name]);
      if (conflict !== undefined) return conflict;
    } else return [...path, name].join('.');
  }
  return undefined;
}

function isObject(value: ExactJson | undefined): value is { [name: string]: ExactJson } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
