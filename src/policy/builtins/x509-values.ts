import { DerError, DerReader, TAG, decodeOid, type DerElement } from '../../asn1/der.js';
import { fromInteger } from '../number.js';
import { RegoObject, type RegoValue } from '../value.js';

/** How Go's JSON writes what certificates hold: bytes in base64, what is not there as null. */

export function bytes(value: Buffer | undefined): RegoValue {
  return value === undefined ? null : value.toString('base64');
}

/** Go writes a slice that nothing was ever added to as null. */
export function list<T>(items: readonly T[], describe: (item: T) => RegoValue): RegoValue {
  return items.length === 0 ? null : items.map(describe);
}

export function texts(items: readonly string[]): RegoValue {
  return list(items, (item) => item);
}

/** `2.5.4.3` as Go's asn1.ObjectIdentifier: a list of numbers. */
export function arcs(oid: string): RegoValue {
  return oid.split('.').map((arc) => fromInteger(BigInt(arc)));
}

/** A signed integer (X.690 section 8.3) in its shortest form. @throws DerError */
export function readInteger(reader: DerReader, tag: number = TAG.INTEGER): bigint {
  return decodeInteger(reader.next(tag).content);
}

/** @throws DerError */
export function decodeInteger(content: Buffer): bigint {
  const first = content[0];
  const second = content[1];
  if (first === undefined) throw new DerError('an INTEGER without content');
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    throw new DerError('an INTEGER not in its shortest form');
  }
  return BigInt.asIntN(content.length * 8, BigInt(`0x${content.toString('hex')}`));
}

/** The bytes of a BIT STRING without bits left over. @throws DerError */
export function readBitString(reader: DerReader): Buffer {
  const { content } = reader.next(TAG.BIT_STRING);
  if (content[0] !== 0) throw new DerError('a BIT STRING that does not end with a byte');
  return content.subarray(1);
}

/** The element with its tag and its length: what Go calls raw. */
export function encodeElement({ tag, content }: DerElement): Buffer {
  const length = content.length;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const digits = length.toString(16);
  const encoded = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | encoded.length]), encoded, content]);
}

/** 4 or 16 bytes, as net.IP writes them: an IPv4 address in IPv6 as IPv4. */
export function formatAddress(address: Buffer): string {
  if (address.length === 4) return address.join('.');
  if (address.subarray(0, 12).equals(Buffer.from('00000000000000000000ffff', 'hex')))
    return address.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => address.readUInt16BE(2 * i).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

const FIELDS: { readonly [oid: string]: string } = {
  '2.5.4.6': 'Country',
  '2.5.4.10': 'Organization',
  '2.5.4.11': 'OrganizationalUnit',
  '2.5.4.7': 'Locality',
  '2.5.4.8': 'Province',
  '2.5.4.9': 'StreetAddress',
  '2.5.4.17': 'PostalCode',
};

/** A distinguished name, as Go's pkix.Name. @throws DerError */
export function readName(content: Buffer): RegoValue {
  const names: RegoValue[] = [];
  const fields = new Map<string, string[]>(Object.values(FIELDS).map((field) => [field, []]));
  const single = { CommonName: '', SerialNumber: '' };
  const sets = new DerReader(content);
  while (!sets.done) {
    const set = new DerReader(sets.next(0x31).content);
    while (!set.done) {
      const attribute = new DerReader(set.next(TAG.SEQUENCE).content);
      const oid = decodeOid(attribute.next(TAG.OID).content);
      const value = readString(attribute.next());
      names.push(
        new RegoObject([
          ['Type', arcs(oid)],
          ['Value', value],
        ]),
      );
      fields.get(FIELDS[oid] ?? '')?.push(value);
      if (oid === '2.5.4.3') single.CommonName = value;
      if (oid === '2.5.4.5') single.SerialNumber = value;
    }
  }
  return new RegoObject([
    ...Object.entries(single),
    ...Array.from(fields, ([field, values]): [string, RegoValue] => [field, texts(values)]),
    ['Names', list(names, (name) => name)],
    ['ExtraNames', null],
  ]);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
// eslint-disable-next-line no-control-regex -- IA5String is exactly these
const IA5 = /^[\x00-\x7f]*$/;

/** What each string type of ASN.1 may hold (X.680 section 41), with what Go lets through besides. */
const PATTERNS: { readonly [tag: number]: RegExp } = {
  0x13: /^[A-Za-z0-9'()+,\-./ :=?*&]*$/,
  0x16: IA5,
  0x12: /^[0-9 ]*$/,
};

/** @throws DerError */
export function readString({ tag, content }: DerElement): string {
  if (tag === 0x0c) {
    try {
      return UTF8.decode(content);
    } catch {
      throw new DerError('not UTF-8');
    }
  }
  const text = content.toString('latin1');
  if (tag === 0x14) return text;
  if (tag === 0x1e) return readUcs2(content);
  if (PATTERNS[tag]?.test(text) !== true) throw new DerError('not a string of its type');
  return text;
}

/** A UniversalString's little sister (BMPString): no surrogates, no noncharacters, a final zero dropped. */
function readUcs2(content: Buffer): string {
  if (content.length % 2 !== 0) throw new DerError('not a BMPString');
  const end =
    content.length >= 2 && content.readUInt16BE(content.length - 2) === 0
      ? content.length - 2
      : content.length;
  const text = Buffer.from(content.subarray(0, end)).swap16().toString('utf16le');
  if (/[\ud800-\udfff\ufffe\uffff\ufdd0-\ufdef]/.test(text)) throw new DerError('not a BMPString');
  return text;
}

/** @throws DerError */
export function readIa5(content: Buffer): string {
  const text = content.toString('latin1');
  if (!IA5.test(text)) throw new DerError('not an IA5String');
  return text;
}
