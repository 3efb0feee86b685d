/** Bytes of a text that is worth keeping. */
const LONGEST = 16 * 1024;

/**
 * Texts that come with one request after the other, such as the certificate of a peer that keeps its connection. The
 * bytes are compared with those that came before, and where they are the same, so is the text that is handed out: whoever
 * looks it up in a map pays for its hash once, which for a certificate in PEM takes longer than all else about it.
 *
 * There is one place for each remainder of a mark in the bytes; a text takes the place of the one before. Nothing
 * secret belongs in here.
 */
export class SharedTexts {
  private readonly known: ({ readonly bytes: Buffer; readonly text: string } | undefined)[];

  /** @param places how many are kept at most */
  constructor(private readonly places: number) {
    this.known = new Array<undefined>(places).fill(undefined);
  }

  /** `bytes` from `start` to `end` as UTF-8; what is not UTF-8 becomes U+FFFD. */
  get(bytes: Buffer, start: number, end: number): string {
    const place = this.mark(bytes, start, end) % this.places;
    const last = this.known[place];
    if (last !== undefined && bytes.compare(last.bytes, 0, last.bytes.length, start, end) === 0)
      return last.text;
    const text = bytes.toString('utf8', start, end);
    if (end - start <= LONGEST) this.known[place] = { bytes: Buffer.from(bytes.subarray(start, end)), text };
    return text;
  }

  /** Certificates begin and end alike: what tells them apart, the signature, stands in their last third. */
  private mark(bytes: Buffer, start: number, end: number): number {
    let mark = end - start;
    for (let at = start + Math.floor((end - start) * 0.75), n = 0; n < 8 && at < end; at++, n++)
      mark = (mark * 31 + bytes[at]!) >>> 0;
    return mark;
  }
}
