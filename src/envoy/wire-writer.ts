/**
 * Writes protobuf from its end to its beginning: what a length-delimited field holds is there before its length
 * has to be known, so nothing is measured first and nothing is copied. Whoever uses it writes the last field
 * first.
 */
export class WireWriter {
  private buffer: Buffer;
  /** Everything from here on is written. */
  private at: number;

  constructor(size = 4096) {
    this.buffer = Buffer.allocUnsafeSlow(size);
    this.at = size;
  }

  /** Bytes written so far: what {@link closeMessage} takes as the end of a nested message. */
  get length(): number {
    return this.buffer.length - this.at;
  }

  /** Forgets what was written: an exception may have left half a message. */
  clear(): void {
    this.at = this.buffer.length;
  }

  /** What was written, as a buffer of its own. */
  finish(): Buffer {
    const out = Buffer.allocUnsafe(this.length);
    this.buffer.copy(out, 0, this.at);
    return out;
  }

  string(field: number, text: string): void {
    const most = text.length * 3;
    this.reserve(most + 10);
    // Nearly all texts are ASCII, and then their length is known.
    const { buffer } = this;
    const start = this.at - text.length;
    let ascii = true;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) {
        ascii = false;
        break;
      }
      buffer[start + i] = code;
    }
    const size = ascii ? text.length : Buffer.byteLength(text);
    this.at -= size;
    if (!ascii) buffer.write(text, this.at, size, 'utf8');
    this.prefix(field, size);
  }

  varint(field: number, value: number): void {
    this.reserve(20);
    this.putVarint(value);
    this.putVarint(field << 3);
  }

  double(field: number, value: number): void {
    this.reserve(18);
    this.at -= 8;
    this.buffer.writeDoubleLE(value, this.at);
    this.putVarint((field << 3) | 1);
  }

  /**
   * Everything written since `end` was the length becomes the message in this field.
   */
  closeMessage(field: number, end: number): void {
    this.reserve(20);
    this.prefix(field, this.length - end);
  }

  private prefix(field: number, length: number): void {
    this.putVarint(length);
    this.putVarint((field << 3) | 2);
  }

  private putVarint(value: number): void {
    // A negative int32 would take ten bytes; no field that is written here has one.
    let size = 1;
    for (let rest = value >>> 7; rest !== 0; rest >>>= 7) size++;
    this.at -= size;
    let rest = value >>> 0;
    for (let i = 0; i < size; i++) {
      this.buffer[this.at + i] = i === size - 1 ? rest : (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
  }

  private reserve(bytes: number): void {
    if (bytes <= this.at) return;
    const { length } = this;
    const grown = Buffer.allocUnsafeSlow(2 * (this.buffer.length + bytes));
    this.buffer.copy(grown, grown.length - length, this.at);
    this.at = grown.length - length;
    this.buffer = grown;
  }
}
