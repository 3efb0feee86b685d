import type { KeyObject } from 'node:crypto';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { parseExact } from '../json/exact.js';
import { attempt, isObject } from './bundle-data.js';
import type { SignatureCode } from './bundle-refusal.js';
import { fileDigest, isDigest } from './signature-hash.js';

/** Where a bundle's signature is: `{"signatures": [JWT]}`. */
export const SIGNATURES = '.signatures.json';

/** A key that bundles are verified with. */
export interface VerificationKey {
  /** The only `alg` that a signature may have with this key (RFC 8725 section 3.1). */
  readonly algorithm: string;
  /** A public key, or the secret of an HMAC. */
  readonly key: KeyObject | Uint8Array;
  readonly scope?: string;
}

/** How the signature of one bundle is verified. */
export interface Verification {
  readonly keys: ReadonlyMap<string, VerificationKey>;
  /** The key, whatever the signature says. */
  readonly keyId?: string;
  /** In place of the key's. */
  readonly scope?: string;
  /** Data files that may be unsigned. `*` stands for anything but a slash. */
  readonly exclude: readonly string[];
}

type Files = ReadonlyMap<string, Uint8Array>;
type Failed = Refusal<SignatureCode>;

/** More than signatures of a hundred thousand files take. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Verifies the files of a bundle against its signature, in OPA's format: one JWT that lists every file with its
 * digest. Beyond what OPA asks, `exp` and `nbf` count where they are there, weak digests do not, and what decides
 * (Wasm, Rego, the manifest) cannot be excluded.
 *
 * @param now milliseconds since the epoch
 * @returns why they are not what was signed; undefined when they are
 */
export async function verifyBundle(
  files: Files,
  verification: Verification,
  now: number,
): Promise<Failed | undefined> {
  const file = files.get(SIGNATURES);
  if (file === undefined)
    return refuse('bundle_unsigned', 'the bundle has no .signatures.json, and a signature is required');
  const token = readSignatures(file);
  if (isRefusal(token)) return token;
  const claims = await verifyToken(token, verification, now);
  return isRefusal(claims) ? claims : verifyFiles(files, claims, verification.exclude);
}

function invalid(detail: string): Failed {
  return refuse('bundle_signature_invalid', `.signatures.json: ${detail}`);
}

function readSignatures(file: Uint8Array): string | Failed {
  if (file.byteLength > MOST_BYTES) return invalid('too large');
  const document = attempt(() => parseExact(Buffer.from(file).toString('utf8')));
  if (!isObject(document)) return invalid('not a JSON object');
  const { signatures, plugin } = document;
  if (plugin !== undefined && plugin !== '' && plugin !== '_default')
    return invalid('it is for a plugin, of which there are none');
  if (!Array.isArray(signatures) || signatures.length !== 1 || typeof signatures[0] !== 'string')
    return invalid('it has to hold one signature');
  return signatures[0];
}

interface Claims {
  /** Digests by the files' names. */
  readonly files: ReadonlyMap<string, { readonly hash: string; readonly algorithm: string }>;
}

async function verifyToken(token: string, verification: Verification, now: number): Promise<Claims | Failed> {
  const [head = '', body = ''] = token.split('.');
  const header = decoded(head);
  const payload = decoded(body);
  if (!isObject(header) || !isObject(payload)) return invalid('the signature is not a JWT');
  // As in OPA: the configuration has the first word, then the header, then a claim of former days.
  const id = verification.keyId ?? header.kid ?? payload.keyid;
  if (typeof id !== 'string' || id === '')
    return refuse('bundle_key_unknown', 'the signature names no key; set signing.keyid');
  const key = verification.keys.get(id);
  if (key === undefined)
    return refuse('bundle_key_unknown', 'the signature names a key that is not configured');
  const { compactVerify } = await import('jose');
  try {
    await compactVerify(token, key.key, { algorithms: [key.algorithm] });
  } catch {
    return invalid(`the signature does not verify with ${key.algorithm} and the key ${id}`);
  }
  const { scope = '', exp, nbf } = payload;
  if (scope !== (verification.scope ?? key.scope ?? ''))
    return refuse('bundle_scope_mismatch', 'the scope of the signature is not the one that is configured');
  for (const time of [exp, nbf])
    if (time !== undefined && typeof time !== 'number') return invalid('exp or nbf is not a number');
  if (exp !== undefined && now >= Number(exp) * 1000)
    return refuse('bundle_signature_expired', 'the signature has expired');
  if (nbf !== undefined && now < Number(nbf) * 1000)
    return refuse('bundle_signature_expired', 'the signature is not valid yet');
  return readFileList(payload.files);
}

/** A part of a JWT, whose own words are of no worth until it is verified. */
function decoded(part: string) {
  return attempt(() => parseExact(Buffer.from(part, 'base64url').toString('utf8')));
}

function readFileList(list: unknown): Claims | Failed {
  if (!Array.isArray(list)) return invalid('the signature lists no files');
  const files = new Map<string, { hash: string; algorithm: string }>();
  for (const entry of list as unknown[]) {
    const { name, hash, algorithm } = (entry ?? {}) as { [name: string]: unknown };
    if (typeof name !== 'string' || typeof hash !== 'string' || typeof algorithm !== 'string')
      return invalid('a file is listed without name, hash or algorithm');
    if (!isDigest(algorithm)) return invalid('a file is listed with a digest that is not accepted');
    if (files.has(name)) return invalid('a file is listed twice');
    files.set(name, { hash: hash.toLowerCase(), algorithm });
  }
  return { files };
}

function verifyFiles(
  files: Files,
  { files: listed }: Claims,
  exclude: readonly string[],
): Failed | undefined {
  const patterns = exclude.map(globPattern);
  for (const [name, content] of files) {
    if (name === SIGNATURES || isExcluded(name, patterns)) continue;
    const wanted = listed.get(name);
    if (wanted === undefined)
      return refuse('bundle_file_unsigned', `${name} is not covered by the signature`);
    if (attempt(() => fileDigest(name, content, wanted.algorithm)) !== wanted.hash)
      return refuse('bundle_file_changed', `${name} is not what was signed`);
  }
  for (const name of listed.keys())
    if (!files.has(name) && !isExcluded(name, patterns))
      return refuse('bundle_file_missing', `${name} was signed, and is not in the bundle`);
  return undefined;
}

function isExcluded(name: string, patterns: readonly RegExp[]): boolean {
  const decides = name === 'policy.wasm' || name === '.manifest' || name.endsWith('.rego');
  return !decides && patterns.some((pattern) => pattern.test(name));
}

function globPattern(glob: string): RegExp {
  const parts = glob.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^/]*')}$`);
}

export interface SigningOptions {
  readonly algorithm: string;
  /** A private key, or the secret of an HMAC. */
  readonly key: KeyObject | Uint8Array;
  /** Goes into the header, and into the claim `keyid`, where older OPAs look. */
  readonly keyId?: string;
  /** Further claims: `scope`, `keyid`, `exp` … */
  readonly claims?: { readonly [name: string]: unknown };
}

/**
 * The content of `.signatures.json` for these files; one that is among them already is left out.
 *
 * @throws SyntaxError, RangeError or a YAML error for a data file that is none, or what jose throws for a key
 * that is not one for the algorithm
 */
export async function signBundle(files: Files, options: SigningOptions): Promise<string> {
  const list = [...files]
    .filter(([name]) => name !== SIGNATURES)
    .map(([name, content]) => ({ name, hash: fileDigest(name, content), algorithm: 'SHA-256' }));
  const { keyId, claims = {} } = options;
  const payload = { files: list, ...(keyId !== undefined && { keyid: keyId }), ...claims };
  const { CompactSign } = await import('jose');
  const token = await new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({
      alg: options.algorithm,
      typ: 'JWT',
      ...(keyId !== undefined && { kid: keyId }),
    })
    .sign(options.key);
  return `${JSON.stringify({ signatures: [token] }, null, 1)}\n`;
}
