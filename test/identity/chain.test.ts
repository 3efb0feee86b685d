import { isRefusal } from '../../src/errors/refusal.js';
import { readCertificate, type Certificate } from '../../src/identity/certificate.js';
import { verifyChain } from '../../src/identity/chain.js';
import {
  HOUR,
  KeyUsageFlags,
  NOW,
  TestCa,
  inEveryForm,
  nameConstraints,
  unknownExtension,
} from '../support/ca.js';
import type { CaOptions, TestCertificate } from '../support/ca.js';

function read({ der }: TestCertificate): Certificate {
  const certificate = readCertificate(der);
  if (isRefusal(certificate)) throw new Error(certificate.detail);
  return certificate;
}

interface Verify {
  readonly leaf: TestCertificate;
  readonly through?: readonly TestCa[];
  readonly roots?: readonly TestCa[];
  readonly now?: number;
}

const root = await TestCa.create();

function verify({ leaf, through = [], roots = [root], now = NOW }: Verify) {
  return verifyChain(
    read(leaf),
    through.map(({ certificate }) => read(certificate)),
    { trustDomain: 'example.org', authorities: roots.map(({ certificate }) => read(certificate)) },
    now,
  );
}

const untrusted = (detail = '') => ({
  refused: true,
  code: 'certificate_untrusted',
  detail: expect.stringContaining(detail),
});

const intermediate = (options: CaOptions = {}) =>
  TestCa.create({ name: 'CN=intermediate', issuer: root, ...options });

describe('a chain', () => {
  test('leads from the leaf to an authority', async () => {
    expect(verify({ leaf: await root.issue() })).toEqual({ notBefore: NOW - HOUR, notAfter: NOW + HOUR });
  });

  test('leads through intermediates, in whatever order they come', async () => {
    const upper = await intermediate();
    const lower = await TestCa.create({ name: 'CN=lower', issuer: upper });
    const leaf = await lower.issue();
    const unrelated = await TestCa.create({ name: 'CN=unrelated' });
    expect(verify({ leaf, through: [lower, upper] })).toMatchObject({ notAfter: NOW + HOUR });
    expect(verify({ leaf, through: [unrelated, upper, lower, root] })).toMatchObject({
      notAfter: NOW + HOUR,
    });
  });

  test('is valid only while each of its certificates is', async () => {
    const old = await TestCa.create({ notBefore: NOW - 5 * HOUR, notAfter: NOW + 3000 });
    const young = await intermediate({ issuer: old, notBefore: NOW - 2000 });
    const leaf = await young.issue();
    expect(verify({ leaf, through: [young], roots: [old] })).toEqual({
      notBefore: NOW - 2000,
      notAfter: NOW + 3000,
    });
  });

  test('may end at any authority of the bundle, be they of one name', async () => {
    const successor = await TestCa.create();
    const leaf = await successor.issue();
    expect(verify({ leaf, roots: [root, successor] })).toMatchObject({ notAfter: NOW + HOUR });
    expect(verify({ leaf, roots: [root] })).toEqual(untrusted('its key did not sign'));
  });

  test('trap 26: to a rogue CA is refused', async () => {
    const rogue = await TestCa.create();
    expect(verify({ leaf: await rogue.issue() })).toEqual(untrusted());
    expect(verify({ leaf: await rogue.issue(), through: [rogue] })).toEqual(untrusted());
    const otherName = await TestCa.create({ name: 'CN=rogue' });
    expect(verify({ leaf: await otherName.issue(), through: [otherName] })).toEqual(untrusted());
  });

  test('trap 27: whose intermediate is missing is refused', async () => {
    const ca = await intermediate();
    const leaf = await ca.issue();
    expect(verify({ leaf })).toEqual(untrusted('no authority of example.org'));
    expect(verify({ leaf, through: [ca] })).not.toMatchObject({ refused: true });
  });

  test('trap 40: to a bundle without authorities is refused', async () => {
    expect(verify({ leaf: await root.issue(), roots: [] })).toMatchObject({
      code: 'trust_bundle_unavailable',
    });
  });

  test('through a workload that plays the CA is refused', async () => {
    const workload = await intermediate({ ca: false, keyUsage: KeyUsageFlags.digitalSignature });
    expect(verify({ leaf: await workload.issue(), through: [workload] })).toEqual(untrusted());
  });

  test.each<[string, CaOptions]>([
    ['no keyUsage', { keyUsage: null }],
    ['keyUsage without keyCertSign', { keyUsage: KeyUsageFlags.cRLSign }],
    ['no CA flag', { ca: false }],
    ['a critical extension nobody knows', { extensions: [unknownExtension(true)] }],
    ['a time that is over', { notAfter: NOW - 1000 }],
    ['a time that has not begun', { notBefore: NOW + 1000 }],
    ['a signature with SHA-1', { hash: 'SHA-1' }],
  ])('through an intermediate with %s is refused', async (_, options) => {
    const ca = await intermediate(options);
    expect(verify({ leaf: await ca.issue(), through: [ca] })).toEqual(untrusted());
  });

  test('through an intermediate whose kind of key is unknown is refused', async () => {
    const ca = await intermediate();
    const leaf = await ca.issue();
    const der = Buffer.from(
      ca.certificate.der.toString('hex').replace('2a8648ce3d0201', '2a8648ce3d027f'),
      'hex',
    );
    const bundle = { trustDomain: 'example.org', authorities: [read(root.certificate)] };
    const outcome = verifyChain(read(leaf), [read(inEveryForm(der))], bundle, NOW);
    expect(outcome).toEqual(untrusted());
  });

  test('to an authority that has expired is refused', async () => {
    const old = await TestCa.create({ notBefore: NOW - 5 * HOUR, notAfter: NOW - 1000 });
    expect(verify({ leaf: await old.issue(), roots: [old] })).toEqual(untrusted('not valid at this time'));
  });

  test('with a leaf signed with SHA-1 is refused', async () => {
    expect(verify({ leaf: await root.issue({ hash: 'SHA-1' }) })).toEqual(untrusted('weak'));
  });

  test('keeps to the path length of every CA', async () => {
    const none = await TestCa.create({ pathLength: 0 });
    const below = await intermediate({ issuer: none });
    expect(verify({ leaf: await none.issue(), roots: [none] })).toMatchObject({ notAfter: NOW + HOUR });
    expect(verify({ leaf: await below.issue(), through: [below], roots: [none] })).toEqual(
      untrusted('path length'),
    );
    const one = await TestCa.create({ pathLength: 1 });
    const upper = await intermediate({ issuer: one });
    const lower = await TestCa.create({ name: 'CN=lower', issuer: upper });
    const leaf = await lower.issue();
    expect(verify({ leaf: await upper.issue(), through: [upper], roots: [one] })).toMatchObject({
      notAfter: NOW + HOUR,
    });
    expect(verify({ leaf, through: [upper, lower], roots: [one] })).toEqual(untrusted('path length'));
  });

  test('keeps to the name constraints of a CA, for every certificate below it', async () => {
    const limited = await TestCa.create({ extensions: [nameConstraints(['example.org'])] });
    const ca = await intermediate({ issuer: limited });
    const good = await ca.issue();
    const bad = await ca.issue({ uris: ['spiffe://other.org/a'] });
    expect(verify({ leaf: good, through: [ca], roots: [limited] })).toMatchObject({ notAfter: NOW + HOUR });
    expect(verify({ leaf: bad, through: [ca], roots: [limited] })).toEqual(untrusted('name constraints'));
  });

  test('that runs in a circle comes to an end', async () => {
    const a = await TestCa.create({ name: 'CN=a' });
    const b = await TestCa.create({ name: 'CN=b', issuer: a });
    const aByB = await TestCa.create({ name: 'CN=a', issuer: b, keys: a.keys });
    const leaf = await b.issue();
    expect(verify({ leaf, through: [b, aByB, a] })).toEqual(untrusted());
    expect(verify({ leaf, through: [b, aByB], roots: [a] })).toMatchObject({ notAfter: NOW + HOUR });
  });

  test('is not sought among more intermediates than a chain can need', async () => {
    const crowd = await Promise.all(Array.from({ length: 9 }, () => intermediate()));
    expect(verify({ leaf: await root.issue(), through: crowd })).toEqual(untrusted('more than 8'));
  });

  test('is not sought for longer than a chain can need', async () => {
    // Eight certificates of one name and key, each of which could have issued every other.
    const first = await TestCa.create({ name: 'CN=maze' });
    const maze = await Promise.all(
      Array.from({ length: 8 }, () => TestCa.create({ name: 'CN=maze', issuer: first, keys: first.keys })),
    );
    const leaf = read(await first.issue());
    const through = maze.map(({ certificate }) => read(certificate));
    let signatures = 0;
    for (const { x509 } of [leaf, ...through]) {
      const verifySignature = x509.verify.bind(x509);
      x509.verify = (key) => {
        signatures++;
        return verifySignature(key);
      };
    }
    const bundle = { trustDomain: 'example.org', authorities: [read(root.certificate)] };
    expect(verifyChain(leaf, through, bundle, NOW)).toEqual(untrusted());
    expect(signatures).toBeGreaterThan(0);
    expect(signatures).toBeLessThanOrEqual(32);
  });
});

describe("a leaf's own time", () => {
  test('runs from notBefore to notAfter, both included', async () => {
    const ca = await TestCa.create({ notBefore: NOW - 9 * HOUR, notAfter: NOW + 9 * HOUR });
    const leaf = await ca.issue({ notBefore: NOW, notAfter: NOW + 5000 });
    const at = (now: number) => verify({ leaf, roots: [ca], now });
    expect(at(NOW - 1)).toMatchObject({ code: 'certificate_not_yet_valid' });
    expect(at(NOW)).not.toMatchObject({ refused: true });
    expect(at(NOW + 5000)).not.toMatchObject({ refused: true });
    expect(at(NOW + 5001)).toMatchObject({ code: 'certificate_expired' });
    expect(at(Number.NaN)).toMatchObject({ refused: true });
  });

  test('says nothing of a certificate that nobody vouches for', async () => {
    const rogue = await TestCa.create();
    expect(verify({ leaf: await rogue.issue({ notAfter: NOW - 1000 }) })).toEqual(untrusted());
  });
});
