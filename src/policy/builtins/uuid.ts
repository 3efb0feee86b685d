import { fromInteger } from '../number.js';
import { formatValue } from '../text.js';
import { RegoObject, type RegoValue } from '../value.js';
import { type Builtins, operand } from './builtin.js';

/** uuid.* (RFC 4122) */
export const UUID: Builtins = {
  'uuid.parse'(_, text) {
    const bytes = parse(operand(text, 1, 'string'));
    return bytes && describe(bytes);
  },

  /** Random, and of one key the same in all of an evaluation. */
  'uuid.rfc4122'(context, key) {
    const name = `uuid.rfc4122 ${formatValue(key)}`;
    const known = context.cache.get(name);
    if (known !== undefined) return known;
    const bytes = Buffer.from(context.random(16));
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const uuid = [0, 4, 6, 8, 10]
      .map((from, i, starts) => bytes.toString('hex', from, starts[i + 1]))
      .join('-');
    context.cache.set(name, uuid);
    return uuid;
  },
};

const HYPHENS = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i;

/** In the four forms that Go's library takes: with `urn:uuid:`, within one character at each end, bare, and hex. */
function parse(text: string): Buffer | undefined {
  if (/^[0-9a-f]{32}$/i.test(text)) return Buffer.from(text, 'hex');
  let middle = text;
  // It says braces, and looks at neither end.
  if (text.length === 38 && text.charCodeAt(0) < 0x80 && text.charCodeAt(37) < 0x80)
    middle = text.slice(1, 37);
  if (text.length === 45 && /^urn:uuid:/i.test(text)) middle = text.slice(9);
  const match = HYPHENS.exec(middle);
  return match === null ? undefined : Buffer.from(match.slice(1).join(''), 'hex');
}

function describe(bytes: Buffer): RegoObject {
  const version = bytes[6]! >> 4;
  const entries: [string, RegoValue][] = [
    ['version', version],
    ['variant', variant(bytes[8]!)],
  ];
  if (version === 1 || version === 2)
    entries.push(
      ['time', fromInteger(unixNanoseconds(bytes))],
      ['nodeid', bytes.toString('hex', 10).replace(/..(?=.)/g, '$&-')],
      ['macvariables', macVariables(bytes[10]!)],
      ['clocksequence', bytes.readUInt16BE(8) & 0x3fff],
    );
  if (version === 2) entries.push(['id', bytes.readUInt32BE(0)], ['domain', domain(bytes[9]!)]);
  return new RegoObject(entries);
}

function variant(byte: number): string {
  if (byte >> 6 === 0b10) return 'RFC4122';
  if (byte >> 5 === 0b110) return 'Microsoft';
  return byte >> 5 === 0b111 ? 'Future' : 'Reserved';
}

/** From the beginning of the Gregorian calendar to that of Unix, in the 100 ns that a UUID counts. */
const GREGORIAN = 0x01b21dd213814000n;

/** In 64 bits, around whose end Go goes without a word. */
function unixNanoseconds(bytes: Buffer): bigint {
  const low = BigInt(bytes.readUInt32BE(0));
  const middle = BigInt(bytes.readUInt16BE(4));
  const high = BigInt(bytes.readUInt16BE(6) & 0x0fff);
  return BigInt.asIntN(64, (((high << 48n) | (middle << 32n) | low) - GREGORIAN) * 100n);
}

function macVariables(byte: number): string {
  return `${byte & 0b10 ? 'local' : 'global'}:${byte & 0b01 ? 'multicast' : 'unicast'}`;
}

function domain(byte: number): string {
  return ['Person', 'Group', 'Org'][byte] ?? `Domain${byte}`;
}
