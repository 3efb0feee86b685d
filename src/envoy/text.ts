import { isUtf8 } from 'node:buffer';

/**
 * Bytes as Envoy writes them into a string field (`headers`, `body`): UTF-8, with every byte that is not part
 * of it replaced by `!`. So a policy sees one text, whichever of the two forms Envoy was told to send.
 */
export function sanitizedUtf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  const clean = Buffer.from(bytes);
  for (let at = 0; at < clean.length;) {
    const length = sequenceLength(clean, at);
    if (length === 0) clean[at] = EXCLAMATION_MARK;
    at += length || 1;
  }
  return clean.toString('utf8');
}

const EXCLAMATION_MARK = 0x21;

/** Bytes of the well-formed UTF-8 sequence that begins here (RFC 3629 section 4); 0 where none does. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = bytes[at + 1] ?? 0;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let next = at + 2; next < at + length; next++) if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

/**
 * The text without unpaired surrogates. They have no UTF-8 form, and a CheckResponse that holds one is no
 * valid protobuf: Envoy would take it as an error, which `failure_mode_allow` lets through.
 */
export function wellFormed(text: string): string {
  return text.toWellFormed();
}
