import { createHash } from 'node:crypto';
import { isRefusal } from '../../errors/refusal.js';
import { stringifyExact, type ExactJson } from '../../json/exact.js';
import { HOST_BUILTINS } from '../../policy/builtins/index.js';
import { readData } from '../../policy/bundle-data.js';
import { readManifest } from '../../policy/bundle-manifest.js';
import { missingBuiltins } from '../../policy/missing-builtins.js';
import { verifyBundle, type Verification } from '../../policy/signature.js';
import { PAGE } from '../../policy/wasm/abi.js';
import { PolicyInstance } from '../../policy/wasm/instance.js';
import { compilePolicy } from '../../policy/wasm/module.js';
import { readBundle } from '../../policy/bundle.js';
import { compileRego } from '../../rego/compiler.js';
import { Failure } from '../failure.js';
import type { InspectedFiles } from './files.js';
import { readSignature, type SignatureClaims } from './signature.js';

/** What `countersign inspect --format json` prints. */
export interface Inspection {
  readonly path: string;
  readonly kind: InspectedFiles['kind'];
  /** Of the archive. */
  readonly bytes?: number;
  readonly sha256?: string;
  /** The manifest's; absent where it says none. */
  readonly revision?: string;
  /** What it owns of `data`; an empty text is all of it. */
  readonly roots: readonly string[];
  readonly rego_version: number;
  /** Absent where nothing is compiled. */
  readonly wasm?: {
    readonly bytes: number;
    readonly entrypoints: readonly string[];
    readonly builtins: readonly InspectedBuiltin[];
  };
  /** Of data, down to three names. */
  readonly data: readonly { readonly path: string; readonly bytes: number }[];
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[];
  readonly signature?: SignatureClaims & { readonly verified: boolean; readonly problem?: string };
}

export interface InspectedBuiltin {
  readonly name: string;
  /** Whether this host supplies it. */
  readonly here: boolean;
  /** Why not, where there is a reason. */
  readonly reason?: string;
}

export interface InspectOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly verification?: Verification;
  /** With which sources are compiled that are not. */
  readonly entrypoints: readonly string[];
}

/** @throws Failure for a manifest, data or a module that are none */
export async function inspectBundle(
  path: string,
  { kind, files, archive }: InspectedFiles,
  options: InspectOptions,
): Promise<Inspection> {
  const manifest = readManifest(files.get('.manifest'));
  if (isRefusal(manifest)) throw new Failure(`${path}: ${manifest.detail}`, 2);
  const read = readData(files);
  if (isRefusal(read)) throw new Failure(`${path}: ${read.detail}`, 2);
  const wasm = files.get('policy.wasm') ?? (await compiled(files, options.entrypoints));
  const signature = await inspectSignature(files, options);
  return {
    path,
    kind,
    ...(archive && { bytes: archive.byteLength, sha256: sha256(archive) }),
    ...(manifest.revision !== '' && { revision: manifest.revision }),
    roots: manifest.roots,
    rego_version: manifest.regoVersion,
    ...(wasm && { wasm: await inspectWasm(path, wasm) }),
    data: [...dataPaths(read.data, [])],
    files: [...files].map(([name, content]) => ({
      path: name,
      bytes: content.byteLength,
      sha256: sha256(content),
    })),
    ...(signature && { signature }),
  };
}

/** What sources would be compiled to; undefined where nobody says what is asked of them. */
async function compiled(
  files: ReadonlyMap<string, Buffer>,
  entrypoints: readonly string[],
): Promise<Uint8Array | undefined> {
  if (entrypoints.length === 0) return undefined;
  const sources = [...files]
    .filter(
      ([name]) =>
        /(^|\/)data\.(json|ya?ml)$/.test(name) || (/\.rego$/.test(name) && !/_test\.rego$/.test(name)),
    )
    .map(([name, content]) => ({ path: name, content: content.toString('utf8') }));
  const built = await compileRego(sources, { entrypoints });
  if (isRefusal(built)) throw new Failure(built.detail, 2);
  const bundle = await readBundle(built.bundle);
  if (isRefusal(bundle)) throw new Failure(bundle.detail, 2);
  return bundle.wasm;
}

async function inspectWasm(path: string, wasm: Uint8Array): Promise<NonNullable<Inspection['wasm']>> {
  let instance: PolicyInstance;
  try {
    const initial = 32 + Math.ceil(wasm.byteLength / PAGE);
    // Without any built-in of the host: what the module asks for is to be read, not to be run.
    instance = new PolicyInstance(await compilePolicy(wasm), { initial, maximum: 65_536 }, {});
  } catch (error) {
    throw new Failure(`${path}: policy.wasm does not load (${(error as Error).message})`, 2);
  }
  return {
    bytes: wasm.byteLength,
    entrypoints: [...instance.entrypoints.keys()].sort(),
    builtins: [...instance.builtins.keys()].sort().map(inspectBuiltin),
  };
}

function inspectBuiltin(name: string): InspectedBuiltin {
  if (Object.hasOwn(HOST_BUILTINS, name)) return { name, here: true };
  const reason = /\((.*)\)/.exec(missingBuiltins([name])[0] ?? '')?.[1];
  return { name, here: false, ...(reason !== undefined && { reason }) };
}

/** Deeper ones are parts of something that is one thing. */
const DEEPEST = 3;

function* dataPaths(
  value: ExactJson,
  path: readonly string[],
): Generator<{ readonly path: string; readonly bytes: number }> {
  const isObject =
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  const members = isObject ? Object.entries(value as { [name: string]: ExactJson }) : [];
  if (members.length === 0 || path.length === DEEPEST) {
    if (path.length > 0) yield { path: path.join('/'), bytes: Buffer.byteLength(stringifyExact(value)) };
    return;
  }
  for (const [name, member] of members.sort(([a], [b]) => (a < b ? -1 : 1)))
    yield* dataPaths(member, [...path, name]);
}

async function inspectSignature(
  files: ReadonlyMap<string, Buffer>,
  { verification, now }: InspectOptions,
): Promise<Inspection['signature']> {
  const claims = readSignature(files);
  if (verification === undefined) return claims && { ...claims, verified: false };
  const refused = await verifyBundle(files, verification, now);
  if (refused === undefined) return { ...claims, verified: true };
  return { ...claims, verified: false, problem: refused.detail };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
