import { BuiltinError } from './builtin.js';

/**
 * Base64 as Go's encoding/base64 reads it, and so OPA: with its padding, line ends passed over, and bits left
 * over in the last character ignored.
 */
const ALPHABETS = {
  base64: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  base64url: /^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?$/,
} as const;

/** @throws BuiltinError, which never quotes the text */
export function decodeBase64(text: string): Buffer {
  return decode(text, 'base64');
}

/**
 * The URL alphabet, padded or not (RFC 7515 appendix C).
 *
 * @throws BuiltinError, which never quotes the text
 */
export function decodeBase64Url(text: string): Buffer {
  if (text.endsWith('=')) return decode(text, 'base64url');
  const over = text.length % 4;
  if (over === 1) throw new BuiltinError('illegal base64url string');
  return decode(text + '='.repeat((4 - over) % 4), 'base64url');
}

export function tryDecodeBase64(text: string): Buffer | undefined {
  const plain = text.replace(/[\r\n]/g, '');
  return ALPHABETS.base64.test(plain) ? Buffer.from(plain, 'base64') : undefined;
}

function decode(text: string, alphabet: keyof typeof ALPHABETS): Buffer {
  const plain = text.replace(/[\r\n]/g, '');
  if (!ALPHABETS[alphabet].test(plain)) {
    throw new BuiltinError(`illegal base64 data at input byte ${fault(text, alphabet)}`);
  }
  return Buffer.from(plain, alphabet);
}

/** Where Go's decoder stops: at the first byte that does not belong, or at the end of a quantum cut short. */
function fault(text: string, alphabet: keyof typeof ALPHABETS): number {
  const belongs = alphabet === 'base64' ? /[A-Za-z0-9+/\r\n]/ : /[A-Za-z0-9_\-\r\n]/;
  let i = 0;
  while (i < text.length && belongs.test(text[i]!)) i++;
  return Buffer.byteLength(text.slice(0, i));
}
