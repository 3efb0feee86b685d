import { parseExact, type ExactJson } from '../../json/exact.js';
import { SIGNATURES } from '../../policy/signature.js';

/** What a signature says of itself: nothing of it is verified. */
export interface SignatureClaims {
  readonly algorithm?: string;
  readonly key_id?: string;
  readonly scope?: string;
  /** RFC 3339 */
  readonly issued?: string;
  readonly expires?: string;
  /** How many files it lists. */
  readonly files?: number;
}

/** The claims of a bundle's first signature; undefined where there is no signature file. */
export function readSignature(files: ReadonlyMap<string, Uint8Array>): SignatureClaims | undefined {
  const file = files.get(SIGNATURES);
  if (file === undefined) return undefined;
  const document = parsed(Buffer.from(file).toString('utf8'));
  const { signatures } = document;
  const [head = '', body = ''] = Array.isArray(signatures) ? String(signatures[0]).split('.') : [];
  const header = parsed(Buffer.from(head, 'base64url').toString('utf8'));
  const payload = parsed(Buffer.from(body, 'base64url').toString('utf8'));
  return {
    ...text('algorithm', header.alg),
    ...text('key_id', header.kid ?? payload.keyid),
    ...text('scope', payload.scope),
    ...time('issued', payload.iat),
    ...time('expires', payload.exp),
    ...(Array.isArray(payload.files) && { files: payload.files.length }),
  };
}

function parsed(source: string): { readonly [name: string]: ExactJson | undefined } {
  try {
    const value = parseExact(source);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as { [name: string]: ExactJson })
      : {};
  } catch {
    return {};
  }
}

function text(name: string, value: ExactJson | undefined): object {
  return typeof value === 'string' && value !== '' ? { [name]: value.slice(0, 256) } : {};
}

/** Seconds since the epoch, as far as a date reaches (RFC 7519 section 2). */
function time(name: string, value: ExactJson | undefined): object {
  return typeof value === 'number' && Math.abs(value) < 8.64e12
    ? { [name]: new Date(value * 1000).toISOString() }
    : {};
}
