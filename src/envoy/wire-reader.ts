import type { SharedTexts } from './shared-texts.js';

/** Wire types (protobuf, "Encoding"): groups, which are 3 and 4, are in none of Envoy's messages. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** The tag of a field whose value is a number, a truth value or an enum. */
export const varint = (field: number): number => (field << 3) | VARINT;
export const double = (field: number): number => (field << 3) | FIXED64;
/** The tag of a field that has a length: text, bytes, a message, an entry of a map. */
export const bytes = (field: number): number => (field << 3) | BYTES;

/**
 * Reads protobuf from bytes that are here as a whole. Whoever uses it takes tag after tag up to the message's end, and
 * skips those that it does not know.
 *
 * Every method throws a RangeError for bytes that are not protobuf.
 */
export class WireReader {
  private at = 0;

  constructor(private readonly buffer: Buffer) {}

  /** Where a message ends that is as long as the buffer. */
  get length(): number {
    return this.buffer.length;
  }

  /** Whether there is more of a message that ends there. */
  more(end: number): boolean {
    if (this.at > end) malformed();
    return this.at < end;
  }

  tag(): number {
    return this.uint32();
  }

  /** The low 32 bits of a number, which is what a uint32 is of one that has more (protobuf, "Updating a message type"). */
  uint32(): number {
    const byte = this.buffer[this.at];
    if (byte !== undefined && byte < 0x80) {
      this.at++;
      return byte;
    }
    const next = this.buffer[this.at + 1];
    if (byte !== undefined && next !== undefined && next < 0x80) {
      this.at += 2;
      return (byte & 0x7f) | (next << 7);
    }
    const { low } = this.varint64();
    return low >>> 0;
  }

  int32(): number {
    return this.uint32() | 0;
  }

  /** Nearest number: none of ext_authz comes near 2^53. */
  int64(): number {
    const { low, high } = this.varint64();
    return high * 2 ** 32 + (low >>> 0);
  }

  bool(): boolean {
    const { low, high } = this.varint64();
    return low !== 0 || high !== 0;
  }

  double(): number {
    const start = this.advance(8);
    return this.buffer.readDoubleLE(start);
  }

  /** The place at which a nested message ends whose length comes next. */
  end(): number {
    const length = this.uint32();
    const end = this.at + length;
    if (end > this.buffer.length) malformed();
    return end;
  }

  /** What is not UTF-8 becomes U+FFFD. */
  string(): string {
    const start = this.advance(this.uint32());
    return this.buffer.toString('utf8', start, this.at);
  }

  /** A text that comes with many messages: the same one each time. */
  shared(texts: SharedTexts): string {
    const start = this.advance(this.uint32());
    return texts.get(this.buffer, start, this.at);
  }

  /** A view of the message. */
  bytes(): Buffer {
    const start = this.advance(this.uint32());
    return this.buffer.subarray(start, this.at);
  }

  /** Passes over the value of a field. */
  skip(tag: number): void {
    if (tag >>> 3 === 0) malformed();
    switch (tag & 7) {
      case VARINT:
        this.varint64();
        return;
      case FIXED64:
        this.advance(8);
        return;
      case BYTES:
        this.advance(this.uint32());
        return;
      case FIXED32:
        this.advance(4);
        return;
      default:
        malformed();
    }
  }

  /** @returns where the bytes begin that were passed over */
  private advance(length: number): number {
    const start = this.at;
    if (start + length > this.buffer.length) malformed();
    this.at += length;
    return start;
  }

  /** Both halves as signed numbers. */
  private varint64(): { low: number; high: number } {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.buffer[this.at++];
      if (byte === undefined) malformed();
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift > 28) high |= bits << (shift - 32);
      else if (shift === 28) high |= bits >>> 4;
      if (byte < 0x80) return { low, high };
    }
    return malformed();
  }
}

function malformed(): never {
  throw new RangeError('not protobuf');
}
