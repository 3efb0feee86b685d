import fc from 'fast-check';
import {
  DerError,
  DerReader,
  TAG,
  decodeBits,
  decodeBoolean,
  decodeOid,
  decodeSmallInteger,
  decodeTime,
  readAll,
  readOnly,
} from '../../src/asn1/der.js';
import { encodeDer } from '../support/ca.js';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

const time = (tag: number, text: string) => decodeTime({ tag, content: Buffer.from(text) });

describe('the DER reader', () => {
  test('reads elements one after another, and only what is there', () => {
    const reader = new DerReader(hex('0101ff 020105'));
    expect(reader.optional(TAG.INTEGER)).toBeUndefined();
    expect(reader.next(TAG.BOOLEAN).content).toEqual(hex('ff'));
    expect(reader.done).toBe(false);
    expect(reader.optional(TAG.INTEGER)).toEqual(hex('05'));
    expect(reader.done).toBe(true);
    expect(reader.optional(TAG.INTEGER)).toBeUndefined();
    expect(() => reader.next()).toThrow(DerError);
  });

  test.each([
    ['nothing', ''],
    ['a tag alone', '30'],
    ['an indefinite length', '3080 0000'],
    ['a length cut off', '3082 01'],
    ['a length beyond the end', '3002 05'],
    ['a length of five bytes', '3085 0000000000'],
    ['a long form where the short one does', '308101 05'],
    ['a length with a leading zero', `30820080 ${'00'.repeat(128)}`],
    ['a tag of several bytes', '1f8101 00'],
    ['another tag', '3100'],
    ['bytes behind', '3000 00'],
  ])('refuses %s', (_, bytes) => {
    expect(() => readOnly(hex(bytes), TAG.SEQUENCE)).toThrow(DerError);
  });

  test('takes long forms where they are the shortest', () => {
    for (const length of [127, 128, 255, 256, 65_535, 65_536]) {
      expect(readOnly(encodeDer(TAG.SEQUENCE, Buffer.alloc(length)), TAG.SEQUENCE)).toHaveLength(length);
    }
  });

  test('reads a million levels of nesting as one level', () => {
    const deep = encodeDer(TAG.SEQUENCE, Buffer.from('3080'.repeat(1_000_000), 'hex'));
    expect(readOnly(deep, TAG.SEQUENCE)).toHaveLength(2_000_000);
  });

  test('never reads beyond its bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          const total = readAll(Buffer.from(bytes)).reduce((sum, { content }) => sum + content.length, 0);
          return total <= bytes.length;
        } catch (error) {
          return error instanceof DerError;
        }
      }),
    );
  });
});

describe('a DER value', () => {
  test('of type BOOLEAN is 00 or FF', () => {
    expect(decodeBoolean(hex('00'))).toBe(false);
    expect(decodeBoolean(hex('ff'))).toBe(true);
    for (const bytes of ['', '01', 'ffff']) expect(() => decodeBoolean(hex(bytes))).toThrow(DerError);
  });

  test('of type INTEGER is small, not negative and in its shortest form', () => {
    expect(decodeSmallInteger(hex('00'))).toBe(0);
    expect(decodeSmallInteger(hex('0080'))).toBe(128);
    expect(decodeSmallInteger(hex('7fffffff'))).toBe(2 ** 31 - 1);
    for (const bytes of ['', '80', 'ff', '0001', '0000', '0080000000']) {
      expect(() => decodeSmallInteger(hex(bytes))).toThrow(DerError);
    }
  });

  test('of type BIT STRING says how many bits it leaves unused', () => {
    expect(decodeBits(hex('0780'))).toEqual(hex('80'));
    expect(decodeBits(hex('00'))).toEqual(hex(''));
    for (const bytes of ['', '0880', '01']) expect(() => decodeBits(hex(bytes))).toThrow(DerError);
  });

  test.each([
    ['2a8648ce3d0403 02', '1.2.840.10045.4.3.2'],
    ['551d0f', '2.5.29.15'],
    ['00', '0.0'],
    ['8837', '2.999'],
    [`69${'83e2a3b7e1f0b2d5c0a6e4d1f2a3b4c5d6'}7f`, expect.stringMatching(/^2\.25\.\d{30,40}$/)],
  ])('of type OBJECT IDENTIFIER is written with dots: %s', (bytes, text) => {
    expect(decodeOid(hex(bytes))).toEqual(text);
  });

  test.each(['', '80', '2a80', '2a8001', '81'.repeat(64) + '01'])(
    'of type OBJECT IDENTIFIER is refused when not in its one form: %s',
    (bytes) => expect(() => decodeOid(hex(bytes))).toThrow(DerError),
  );

  test('that is a time has two digits for years from 1950 to 2049, or four', () => {
    expect(time(TAG.UTC_TIME, '491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59));
    expect(time(TAG.UTC_TIME, '500101000000Z')).toBe(Date.UTC(1950, 0, 1));
    expect(time(TAG.GENERALIZED_TIME, '99991231235959Z')).toBe(Date.UTC(9999, 11, 31, 23, 59, 59));
    expect(time(TAG.GENERALIZED_TIME, '20480229000000Z')).toBe(Date.UTC(2048, 1, 29));
  });

  test.each([
    [TAG.UTC_TIME, '4912312359Z'],
    [TAG.UTC_TIME, '491231235959+0100'],
    [TAG.UTC_TIME, '491331000000Z'],
    [TAG.UTC_TIME, '490229000000Z'],
    [TAG.UTC_TIME, '490101240000Z'],
    [TAG.UTC_TIME, '490101000060Z'],
    [TAG.UTC_TIME, '490100000000Z'],
    [TAG.GENERALIZED_TIME, '20480229000000.5Z'],
    [TAG.GENERALIZED_TIME, '480229000000Z'],
    [TAG.INTEGER, '20480229000000Z'],
  ])('that is a time in no form of RFC 5280 is refused: tag %i, %s', (tag, text) => {
    expect(() => time(tag, text)).toThrow(DerError);
  });
});
