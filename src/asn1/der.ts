/** Tags of the ASN.1 types that a certificate is read for (X.690 section 8.1.2). */
export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OID: 0x06,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
} as const;

/** The bytes are not the DER that was expected. Whoever reads catches it: to nobody else does it say enough. */
export class DerError extends Error {}

export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
}

/**
 * Reads elements one after another. It does not descend by itself, so how deep the input nests costs
 * nothing: whoever calls opens exactly the layers that it knows.
 */
export class DerReader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  get done(): boolean {
    return this.at === this.bytes.length;
  }

  /**
   * The next element, of this tag where one is given.
   *
   * @throws DerError when it is another, is cut off, or is not in DER's one form (definite, shortest length)
   */
  next(tag?: number): DerElement {
    const found = this.byte();
    if ((found & 0x1f) === 0x1f) throw new DerError('a tag of more than one byte');
    if (tag !== undefined && found !== tag) throw new DerError(`tag ${found} where ${tag} belongs`);
    const length = this.length();
    if (length > this.bytes.length - this.at) throw new DerError('an element runs past its end');
    const content = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return { tag: found, content };
  }

  /** The next element's content if it has this tag; otherwise nothing is read. */
  optional(tag: number): Buffer | undefined {
    return this.bytes[this.at] === tag ? this.next(tag).content : undefined;
  }

  /** @throws DerError when anything is left */
  end(): void {
    if (!this.done) throw new DerError('bytes after the last element');
  }

  private byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw new DerError('an element is cut off');
    this.at++;
    return byte;
  }

  private length(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new DerError('a length that is indefinite or too long');
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.byte();
    if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError('a length not in its shortest form');
    return length;
  }
}

/** The content of the one element that these bytes are. @throws DerError */
export function readOnly(bytes: Buffer, tag: number): Buffer {
  const reader = new DerReader(bytes);
  const { content } = reader.next(tag);
  reader.end();
  return content;
}

/** Every element of a SEQUENCE OF. @throws DerError */
export function readAll(content: Buffer, tag?: number): DerElement[] {
  const reader = new DerReader(content);
  const elements: DerElement[] = [];
  while (!reader.done) elements.push(reader.next(tag));
  return elements;
}

/** @throws DerError unless it is X.690 section 11.1's 00 or FF */
export function decodeBoolean(content: Buffer): boolean {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new DerError('not a BOOLEAN');
  return content[0] === 0xff;
}

/** A non-negative integer below 2^31. @throws DerError */
export function decodeSmallInteger(content: Buffer): number {
  const redundant = content.length > 1 && content[0] === 0 && content[1]! < 0x80;
  if (content.length === 0 || content.length > 4 || content[0]! >= 0x80 || redundant) {
    throw new DerError('not an INTEGER from 0 to 2147483647');
  }
  return content.readUIntBE(0, content.length);
}

/** The bits of a named bit list (X.690 section 11.2), the first one in the first byte's highest bit. @throws DerError */
export function decodeBits(content: Buffer): Buffer {
  const unused = content[0];
  if (unused === undefined || unused > 7 || (content.length === 1 && unused > 0)) {
    throw new DerError('not a BIT STRING');
  }
  return content.subarray(1);
}

const MAX_OID_BYTES = 64;

/** In dotted form. @throws DerError */
export function decodeOid(content: Buffer): string {
  if (content.length === 0 || content.length > MAX_OID_BYTES || content.at(-1)! >= 0x80) {
    throw new DerError('not an OBJECT IDENTIFIER');
  }
  const arcs: bigint[] = [];
  let arc = 0n;
  let starting = true;
  for (const byte of content) {
    if (starting && byte === 0x80) throw new DerError('an OBJECT IDENTIFIER not in its shortest form');
    arc = arc * 128n + BigInt(byte & 0x7f);
    starting = byte < 0x80;
    if (!starting) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [head = 0n, ...rest] = arcs;
  const first = head < 80n ? head / 40n : 2n;
  return [first, head - first * 40n, ...rest].join('.');
}

const TIMES: { readonly [tag: number]: RegExp } = {
  [TAG.UTC_TIME]: /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
  [TAG.GENERALIZED_TIME]: /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
};

/** A time as RFC 5280 section 4.1.2.5 allows it, in milliseconds since the epoch. @throws DerError */
export function decodeTime({ tag, content }: DerElement): number {
  const text = content.toString('latin1');
  const match = TIMES[tag]?.exec(text);
  if (!match) throw new DerError('not a time in UTC to the second');
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const fullYear = tag === TAG.UTC_TIME ? year + (year < 50 ? 2000 : 1900) : year;
  const date = new Date(0);
  date.setUTCFullYear(fullYear, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // Date carries a 13th month or a 61st second over into the next unit; the time read back then differs.
  const back = date.toISOString().replace(/\D/g, '').slice(0, 14);
  if (back !== String(fullYear).padStart(4, '0') + text.slice(-11, -1)) {
    throw new DerError('a date or time of day that does not exist');
  }
  return date.getTime();
}
