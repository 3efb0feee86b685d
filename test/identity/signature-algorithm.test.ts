import { DerError } from '../../src/asn1/der.js';
import { isStrongSignature } from '../../src/identity/signature-algorithm.js';
import { encodeDer } from '../support/ca.js';

const oid = (hex: string) => encodeDer(0x06, Buffer.from(hex, 'hex'));

const NULL = encodeDer(0x05);
const PSS = oid('2a864886f70d01010a');
const SHA1 = oid('2b0e03021a');
const SHA256 = oid('608648016503040201');

/** RSASSA-PSS-params; a hash alone, as the rest does not matter here. */
const pss = (...hash: Buffer[]) => {
  const parameters = hash.length === 0 ? [] : [encodeDer(0xa0, encodeDer(0x30, ...hash))];
  return Buffer.concat([PSS, encodeDer(0x30, ...parameters)]);
};

describe('a signature algorithm', () => {
  test.each([
    ['sha256WithRSAEncryption', Buffer.concat([oid('2a864886f70d01010b'), NULL])],
    ['ecdsa-with-SHA384', oid('2a8648ce3d040303')],
    ['Ed25519', oid('2b6570')],
    ['RSASSA-PSS with SHA-256', pss(SHA256)],
    ['RSASSA-PSS with SHA-256 and NULL', pss(SHA256, NULL)],
  ])('is strong: %s', (_, algorithm) => expect(isStrongSignature(algorithm)).toBe(true));

  test.each([
    ['md5WithRSAEncryption', Buffer.concat([oid('2a864886f70d010104'), NULL])],
    ['sha1WithRSAEncryption', Buffer.concat([oid('2a864886f70d010105'), NULL])],
    ['ecdsa-with-SHA1', oid('2a8648ce3d0401')],
    ['RSASSA-PSS with SHA-1', pss(SHA1)],
    ['RSASSA-PSS with its default, SHA-1', pss()],
  ])('is weak: %s', (_, algorithm) => expect(isStrongSignature(algorithm)).toBe(false));

  test('is unreadable where RSASSA-PSS lacks its parameters', () => {
    expect(() => isStrongSignature(PSS)).toThrow(DerError);
  });
});
