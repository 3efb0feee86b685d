import { parseExact, stringifyExact } from '../json/exact.js';
import type { BundleContent } from '../policy/bundle.js';

/** Bytes that are copied at once: a fraction of a millisecond, after which others have their turn. */
const STEP = 1024 * 1024;

/** Data as text in memory that threads share, so that sending it takes no time. */
export function packData(data: BundleContent['data']): Uint8Array {
  const text = Buffer.from(stringifyExact(data));
  const packed = new Uint8Array(new SharedArrayBuffer(text.byteLength));
  packed.set(text);
  return packed;
}

/** What {@link packData} packed. */
export function unpackData(packed: Uint8Array): BundleContent['data'] {
  const text = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength).toString('utf8');
  return parseExact(text, { maxDepth: Infinity }) as BundleContent['data'];
}

/** Puts chunks together, step by step, in memory that threads share. */
export async function gather(chunks: readonly Uint8Array[]): Promise<Buffer> {
  const whole = Buffer.from(
    new SharedArrayBuffer(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)),
  );
  let at = 0;
  let copied = 0;
  for (const chunk of chunks)
    for (let from = 0; from < chunk.byteLength; from += STEP) {
      const part = chunk.subarray(from, from + STEP);
      whole.set(part, at);
      at += part.byteLength;
      copied += part.byteLength;
      if (copied < STEP) continue;
      copied = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
  return whole;
}

/** The same bytes where threads share them. */
export async function share(bytes: Uint8Array): Promise<Uint8Array> {
  return bytes.buffer instanceof SharedArrayBuffer ? bytes : gather([bytes]);
}
