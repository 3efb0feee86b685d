const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Bytes as the text that Go makes of them when it writes them out as JSON: every byte that is not UTF-8 becomes
 * one U+FFFD. (TextDecoder would make one of several.)
 */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return STRICT.decode(bytes);
  } catch {
    return piecemeal(bytes);
  }
}

function piecemeal(bytes: Uint8Array): string {
  let text = '';
  let clean = 0;
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += `${STRICT.decode(bytes.subarray(clean, at))}\ufffd`;
    at += 1;
    clean = at;
  }
  return text + STRICT.decode(bytes.subarray(clean));
}

/** Of the sequence that begins here, in bytes; 0 where none does (RFC 3629 section 4). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const lowest: Record<number, number> = { 0xe0: 0xa0, 0xf0: 0x90 };
  const highest: Record<number, number> = { 0xed: 0x9f, 0xf4: 0x8f };
  for (let i = 1; i < length; i++) {
    const next = bytes[at + i];
    const least = (i === 1 && lowest[lead]) || 0x80;
    const most = (i === 1 && highest[lead]) || 0xbf;
    if (next === undefined || next < least || next > most) return 0;
  }
  return length;
}
