import { isUtf8 } from 'node:buffer';

/**
 * Bytes as Envoy writes them into a string field (`headers`, `body`): UTF-8, with every byte that is not part
 * of it replaced by `!`. So a policy sees one text, whichever of the two forms Envoy was told to send.
 */
export function sanitizedUtf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let out = '';
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2, 3, 4].find((n) => at + n <= bytes.length && isUtf8(bytes.subarray(at, at + n)));
    out += length === undefined ? '!' : bytes.toString('utf8', at, at + length);
    at += length ?? 1;
  }
  return out;
}

/**
 * The text without unpaired surrogates. They have no UTF-8 form, and a CheckResponse that holds one is no
 * valid protobuf: Envoy would take it as an error, which `failure_mode_allow` lets through.
 */
export function wellFormed(text: string): string {
  return text.toWellFormed();
}
