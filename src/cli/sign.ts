import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { BUNDLE_ALGORITHMS } from '../config/algorithms.js';
import { isRefusal } from '../errors/refusal.js';
import { parseExact } from '../json/exact.js';
import { packBundle, unpackBundle } from '../policy/bundle-archive.js';
import { SIGNATURES, signBundle, type SigningOptions } from '../policy/signature.js';
import { secretOf, suits } from './bundle-keys.js';
import { Failure } from './failure.js';

/** What `sign` and `build` have in common. */
export interface SigningFlags {
  signingKey?: string;
  signingAlg: string;
  keyId?: string;
  claimsFile?: string;
}

/** `countersign sign BUNDLE|DIR --signing-key KEY` */
export function signCommand(): Command {
  return withSigningFlags(new Command('sign'))
    .description("sign a bundle, or a folder that will be one, in OPA's format")
    .argument('<bundle>', 'a .tar.gz file, or a folder')
    .option(
      '-o, --output <path>',
      'the signed bundle, or the folder for .signatures.json; by default in place of the old one',
    )
    .action(async (path: string, options: SigningFlags & { output?: string }) => {
      const signing = await readSigningFlags(options);
      if (signing === undefined) throw new Failure('--signing-key: name the file of a private key');
      const target = options.output ?? path;
      const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
        throw new Failure(`${path} cannot be read (${error.code})`);
      });
      if (found.isDirectory()) {
        const signatures = await signed(await readFolder(path), signing);
        await write(join(target, SIGNATURES), signatures);
      } else await write(target, await signArchive(await readFile(path), signing));
      process.stderr.write(`${target}: signed with ${signing.algorithm}\n`);
    });
}

export function withSigningFlags(command: Command): Command {
  return command
    .option('--signing-key <file>', 'the private key, PEM; for HS256, HS384 and HS512 the secret')
    .addOption(
      new Option('--signing-alg <name>', 'the algorithm').choices(BUNDLE_ALGORITHMS).default('RS256'),
    )
    .option('--key-id <id>', 'what the key is called where it is verified')
    .option('--claims-file <file>', 'further claims, JSON: scope, keyid, exp');
}

/**
 * @returns undefined where nothing is to be signed
 * @throws Failure for files that cannot be used
 */
export async function readSigningFlags(flags: SigningFlags): Promise<SigningOptions | undefined> {
  const { signingKey, signingAlg: algorithm, keyId, claimsFile } = flags;
  if (signingKey === undefined) return undefined;
  const fail = (what: string) => new Failure(`--signing-key: ${signingKey} ${what}`);
  const bytes = await readFile(signingKey).catch((error: NodeJS.ErrnoException) => {
    throw fail(`cannot be read (${error.code})`);
  });
  const key = algorithm.startsWith('HS')
    ? secretOf(bytes, algorithm, fail)
    : privateKeyOf(bytes, algorithm, fail);
  return {
    algorithm,
    key,
    ...(keyId !== undefined && { keyId }),
    ...(claimsFile !== undefined && { claims: await readClaims(claimsFile) }),
  };
}

function privateKeyOf(bytes: Buffer, algorithm: string, fail: (what: string) => Failure): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(bytes);
  } catch {
    throw fail('holds no private key in PEM, or one with a passphrase');
  }
  if (!suits(key, algorithm)) throw fail(`is not a key for ${algorithm}; see --signing-alg`);
  return key;
}

async function readClaims(path: string): Promise<{ readonly [name: string]: unknown }> {
  try {
    const claims = parseExact(await readFile(path, 'utf8'));
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims) && !('files' in claims))
      return claims as { [name: string]: unknown };
  } catch {
    /* said below */
  }
  throw new Failure(`--claims-file: ${path} is not a JSON object, or has the claim files, which is ours`);
}

/** @throws Failure for what is no bundle */
export async function signArchive(bytes: Uint8Array, signing: SigningOptions): Promise<Uint8Array> {
  const files = await unpackBundle(bytes, Infinity);
  if (isRefusal(files)) throw new Failure(files.detail, 2);
  files.delete(SIGNATURES);
  return packBundle([[SIGNATURES, await signed(files, signing)], ...files]);
}

async function signed(files: ReadonlyMap<string, Uint8Array>, signing: SigningOptions): Promise<string> {
  try {
    return await signBundle(files, signing);
  } catch (error) {
    throw new Failure(`it cannot be signed: ${(error as Error).message}`, 2);
  }
}

/** Every file below, under its path from there, as `opa sign --bundle .` names them. */
async function readFolder(folder: string): Promise<Map<string, Uint8Array>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = new Map<string, Uint8Array>();
  for (const entry of entries) {
    const path = join(entry.path, entry.name);
    if (entry.isSymbolicLink()) throw new Failure(`${path} is a link; a bundle holds files`);
    if (!entry.isFile()) continue;
    files.set(path.slice(join(folder, '/').length), await readFile(path));
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** By renaming, so that nobody reads half of it. */
async function write(path: string, content: Uint8Array | string): Promise<void> {
  try {
    await writeFile(`${path}.part`, content);
    await rename(`${path}.part`, path);
  } catch (error) {
    throw new Failure(`${path} cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
}
