import fc from 'fast-check';
import { isRefusal } from '../../src/errors/refusal.js';
import {
  TrustBundles,
  parseDerBundle,
  parseJwtAuthorities,
  parseTrustBundle,
} from '../../src/identity/trust-bundle.js';
import { KeySet } from '../../src/jws/key-set.js';
import { KeyUsageFlags, TestCa, unknownExtension } from '../support/ca.js';
import { TestKey } from '../token/support.js';

const one = await TestCa.create({ name: 'CN=one' });
const two = await TestCa.create({ name: 'CN=two' });

const signer = await TestKey.create('signer');

const malformed = (detail: string) => ({
  refused: true,
  code: 'trust_bundle_malformed',
  detail: expect.stringContaining(detail),
});

const entry = (...cas: readonly TestCa[]) => ({
  use: 'x509-svid',
  kty: 'EC',
  x5c: cas.map(({ certificate }) => certificate.der.toString('base64')),
});

const parse = (document: unknown) =>
  parseTrustBundle('example.org', typeof document === 'string' ? document : JSON.stringify(document));

function authoritiesOf(document: unknown): Buffer[] {
  const bundle = parse(document);
  if (isRefusal(bundle)) throw new Error(bundle.detail);
  return bundle.authorities.map(({ der }) => der);
}

describe('a trust bundle of PEM roots', () => {
  test('holds one or more authorities', () => {
    expect(authoritiesOf(one.certificate.pem)).toEqual([one.certificate.der]);
    expect(
      authoritiesOf(`\n${one.certificate.pem}\n${two.certificate.pem.replaceAll('\n', '\r\n')}`),
    ).toEqual([one.certificate.der, two.certificate.der]);
  });

  test.each([
    ['nothing', '', 'no PEM block'],
    ['a comment', `# roots\n${one.certificate.pem}`, 'PEM block 1: text'],
    [
      'a key',
      one.certificate.pem + '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n',
      'PEM block 2: it is a PRIVATE KEY',
    ],
    ['half a block', one.certificate.pem.slice(0, -30), 'damaged'],
    ['an array', '[]', 'neither PEM certificates nor a JSON object'],
  ])('is refused when it holds %s', (_, text, detail) => {
    const outcome = parse(text);
    expect(outcome).toEqual(malformed(detail));
    expect(JSON.stringify(outcome)).not.toContain('c2VjcmV0');
  });

  test('is refused whole when one certificate can be no authority', async () => {
    const leaf = await one.issue();
    expect(parse(one.certificate.pem + leaf.pem)).toEqual(malformed('certificate 2 cannot be an authority'));
    for (const options of [
      { keyUsage: null },
      { keyUsage: KeyUsageFlags.cRLSign },
      { extensions: [unknownExtension(true)] },
    ]) {
      const ca = await TestCa.create(options);
      expect(parse(ca.certificate.pem)).toEqual(malformed('certificate 1 cannot be an authority'));
    }
  });
});

describe('a SPIFFE bundle', () => {
  test('holds authorities, a sequence number and a refresh hint', () => {
    const document = { keys: [entry(one), entry(two)], spiffe_sequence: 7, spiffe_refresh_hint: 300 };
    expect(parse(document)).toMatchObject({ trustDomain: 'example.org', sequence: 7n, refreshHint: 300 });
    expect(authoritiesOf(document)).toEqual([one.certificate.der, two.certificate.der]);
  });

  test('may have a sequence number of 64 bits', () => {
    expect(parse('{"keys": [], "spiffe_sequence": 18446744073709551615}')).toMatchObject({
      sequence: 2n ** 64n - 1n,
    });
  });

  test('trap 42: with two certificates in x5c counts the first', () => {
    expect(authoritiesOf({ keys: [entry(one, two)] })).toEqual([one.certificate.der]);
  });

  test('trap 43: with an entry that has no use ignores that entry', () => {
    const { use, ...rest } = entry(one);
    expect(use).toBe('x509-svid');
    expect(authoritiesOf({ keys: [rest, entry(two)] })).toEqual([two.certificate.der]);
  });

  test('ignores entries of a use or a key type that it does not know', () => {
    const { kty, ...untyped } = entry(one);
    expect(kty).toBe('EC');
    const keys = [
      { ...entry(one), use: 'x509-next' },
      { ...entry(one), kty: 'NEXT' },
      { ...entry(one), use: 7 },
      { use: 'jwt-svid', kty: 'EC', kid: 'a' },
      untyped,
    ];
    expect(authoritiesOf({ keys })).toEqual([]);
  });

  test('trap 40: that is empty is a bundle without authorities, not the absence of one', () => {
    expect(parse({ keys: [] })).toEqual({
      trustDomain: 'example.org',
      authorities: [],
      jwtAuthorities: new KeySet([]),
    });
  });

  test.each<[string, unknown, string]>([
    ['no keys', {}, 'no array `keys`'],
    ['keys that are no array', { keys: {} }, 'no array `keys`'],
    ['an entry that is no object', { keys: ['a'] }, 'keys[0] is not an object'],
    ['an entry that is no number', '{"keys": [1e400]}', 'keys[0] is not an object'],
    [
      'an authority without x5c',
      { keys: [entry(one), { ...entry(), x5c: undefined }] },
      'keys[1] has no cert',
    ],
    ['an empty x5c', { keys: [entry()] }, 'keys[0] has no certificate'],
    ['x5c in base64url', { keys: [{ ...entry(), x5c: ['_-8'] }] }, 'keys[0] has no certificate'],
    ['x5c that is no certificate', { keys: [{ ...entry(), x5c: ['AAAA'] }] }, 'keys[0]: not a certificate'],
    ['a sequence that is no count', { keys: [], spiffe_sequence: -1 }, 'spiffe_sequence'],
    ['a refresh hint that is no count', { keys: [], spiffe_refresh_hint: '5' }, 'spiffe_refresh_hint'],
    ['a member twice', '{"keys": [], "keys": []}', 'repeated member name'],
    ['half of a text', '{"keys": [', 'not JSON'],
  ])('is refused when it has %s', (_, document, detail) => {
    expect(parse(document)).toEqual(malformed(detail));
  });

  test('is refused whole when one entry can be no authority', async () => {
    const leaf = (await one.issue()).der.toString('base64');
    const outcome = parse({ keys: [entry(one), { ...entry(), x5c: [leaf] }] });
    expect(outcome).toEqual(malformed('keys[1] cannot be an authority: it is not a CA'));
  });
});

describe('the keys of JWT-SVIDs in a SPIFFE bundle', () => {
  const key = (members: object) => signer.published({ use: 'jwt-svid', ...members });
  const keyIds = (set: KeySet) => set.keys.map(({ keyId }) => keyId);

  test('stand beside the certificates, each kind for itself', () => {
    const bundle = parse({ keys: [entry(one), key({ kid: 'a' })] });
    if (isRefusal(bundle)) throw new Error(bundle.detail);
    expect(bundle.authorities).toHaveLength(1);
    expect(keyIds(bundle.jwtAuthorities)).toEqual(['a']);
    expect(bundle.jwtAuthorities.candidates('ES256', 'a')).toHaveLength(1);
  });

  test.each<[string, object]>([
    ['has no kid', key({ kid: undefined })],
    ['has no use', key({ use: undefined })],
    ['is for the signatures of others', key({ use: 'sig' })],
    ['is for certificates', { ...entry(one), ...key({ use: 'x509-svid' }) }],
    ['is private', key({ d: 'AAAA' })],
    ['is of a type that is not known', key({ kty: 'NEXT' })],
  ])('are without one that %s', (_, unusable) => {
    const bundle = parse({ keys: [unusable, key({ kid: 'b' })] });
    if (isRefusal(bundle)) throw new Error(bundle.detail);
    expect(keyIds(bundle.jwtAuthorities)).toEqual(['b']);
  });

  test('may lack their use where they come alone, as the Workload API sends them', () => {
    const keys = [
      key({ kid: 'a', use: undefined }),
      key({ kid: 'b' }),
      key({ kid: 'c', use: 'sig' }),
      entry(one),
    ];
    const set = parseJwtAuthorities(JSON.stringify({ keys }));
    if (isRefusal(set)) throw new Error(set.detail);
    expect(keyIds(set)).toEqual(['a', 'b']);
    expect(parseJwtAuthorities('{}')).toEqual(malformed('no array `keys`'));
    expect(parseJwtAuthorities('')).toEqual(malformed('not JSON'));
  });
});

describe('a trust bundle in DER', () => {
  const parse = (...parts: Uint8Array[]) => parseDerBundle('example.org', Buffer.concat(parts));

  test('holds the certificates that follow each other', () => {
    const { der } = one.certificate;
    const bundle = parse(der, two.certificate.der);
    if (isRefusal(bundle)) throw new Error(bundle.detail);
    expect(bundle.authorities.map((authority) => authority.der)).toEqual([der, two.certificate.der]);
  });

  test('trap 40: that is empty is a bundle without authorities', () => {
    expect(parse()).toMatchObject({ trustDomain: 'example.org', authorities: [] });
  });

  test('is refused whole when anything else is in it', async () => {
    const { der } = one.certificate;
    const notOneAfterAnother = malformed('not one certificate in DER after the other');
    expect(parse(der, Buffer.of(0))).toEqual(notOneAfterAnother);
    expect(parse(der.subarray(0, -1))).toEqual(notOneAfterAnother);
    expect(parse(Buffer.from(one.certificate.pem))).toEqual(notOneAfterAnother);
    expect(parse(der, Buffer.of(0x30, 0))).toEqual(malformed('certificate 2: not a certificate'));
    expect(parse(der, (await one.issue()).der)).toEqual(malformed('certificate 2 cannot be an authority'));
  });

  test('is read or refused, whatever the bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.array(
        fc.constantFrom(one.certificate.der, two.certificate.der, Buffer.of(0x30, 1), Buffer.of(0x30, 0)),
      ),
    );
    fc.assert(
      fc.property(bytes, (given) => {
        const parts = given instanceof Uint8Array ? [given] : given;
        const bundle = parse(...parts);
        if (isRefusal(bundle)) return;
        expect(Buffer.concat(bundle.authorities.map(({ der }) => der))).toEqual(Buffer.concat(parts));
      }),
    );
  });
});

describe('trust bundles', () => {
  test('belong to a trust domain whose name is one', () => {
    for (const name of ['', 'Example.org', 'spiffe://example.org', 'example.org/a']) {
      expect(parseTrustBundle(name, one.certificate.pem)).toEqual(malformed('trust domain'));
    }
  });

  test('are found by the exact name, and never merged', () => {
    const bundle = { trustDomain: 'example.org', authorities: [], jwtAuthorities: new KeySet([]) };
    const bundles = new TrustBundles([bundle], 3);
    expect(bundles.revision).toBe(3);
    expect(bundles.get('example.org')).toBe(bundle);
    for (const name of ['EXAMPLE.ORG', 'example.org.', 'constructor', '__proto__']) {
      expect(bundles.get(name)).toBeUndefined();
    }
    expect(() => new TrustBundles([bundle, bundle], 4)).toThrow('two bundles');
  });

  test('are read or refused, whatever the text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.json().map((keys) => `{"keys":[${keys}]}`),
    );
    fc.assert(
      fc.property(text, (some) => {
        const outcome = parseTrustBundle('example.org', some);
        return isRefusal(outcome) || outcome.authorities.length === 0;
      }),
    );
  });
});
