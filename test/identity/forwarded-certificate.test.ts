import { isRefusal } from '../../src/errors/refusal.js';
import { readForwardedCertificate } from '../../src/identity/forwarded-certificate.js';
import { TestCa, WORKLOAD } from '../support/ca.js';
import { xfccObject, xfccText } from '../support/xfcc.js';

const ca = await TestCa.create();
const leaf = await ca.issue();
const other = await ca.issue({ uris: ['spiffe://example.org/victim'] });

const element = xfccText({ leaf, uris: [WORKLOAD] });
const otherElement = xfccText({ leaf: other, uris: ['spiffe://example.org/victim'] });

const refused = (code: string) => expect.objectContaining({ refused: true, code });

function leafOf(...lines: string[]): Buffer {
  const outcome = readForwardedCertificate(lines);
  if (isRefusal(outcome)) throw new Error(outcome.detail);
  return outcome.leaf.der;
}

describe('the certificate in XFCC', () => {
  test('is read from text and from JSON as Envoy writes them', () => {
    expect(leafOf(element)).toEqual(leaf.der);
    expect(leafOf(JSON.stringify([xfccObject({ leaf, uris: [WORKLOAD] })]))).toEqual(leaf.der);
  });

  test('comes with the intermediates of Chain, without the leaf itself', async () => {
    const intermediates = [ca.certificate, (await TestCa.create()).certificate];
    const peer = { leaf, uris: [WORKLOAD], intermediates };
    for (const line of [xfccText(peer), JSON.stringify([xfccObject(peer)])]) {
      expect(readForwardedCertificate([line])).toMatchObject({
        intermediates: intermediates.map(({ der }) => ({ der })),
      });
    }
  });

  test('trap 45: is not forged by an element smuggled in a URI of another certificate', async () => {
    const victim = `Hash=${other.hash};Cert="${other.encoded}"`;
    for (const smuggled of [
      `spiffe://a/b;By=spiffe://example.org/victim`,
      `spiffe://a/b;${victim}`,
      `spiffe://a/b,${victim}`,
      `spiffe://a/b,By=c,${victim};URI=spiffe://example.org/victim`,
      `,${victim}`,
      `",${victim}`,
    ]) {
      for (const names of [{ uris: [smuggled] }, { uris: [WORKLOAD], dns: [smuggled] }]) {
        const attacker = await ca.issue(names);
        const outcome = readForwardedCertificate([xfccText({ leaf: attacker, ...names })]);
        // A DNS name may hold pairs that say nothing of the leaf: then it is still the attacker's own.
        if (isRefusal(outcome)) expect(outcome.code).toMatch(/^xfcc_(malformed|mismatch)$/);
        else expect(outcome.leaf.der).toEqual(attacker.der);
      }
    }
  });

  test('trap 45: with a comma in a URI is refused in text, and still itself in JSON', async () => {
    const uris = [`spiffe://a/b,Cert="${other.encoded}"`];
    const attacker = await ca.issue({ uris });
    expect(readForwardedCertificate([xfccText({ leaf: attacker, uris })])).toEqual(refused('xfcc_malformed'));
    expect(leafOf(JSON.stringify([xfccObject({ leaf: attacker, uris })]))).toEqual(attacker.der);
  });

  test('trap 47: is that of the last element only', () => {
    expect(leafOf(`${otherElement},${element}`)).toEqual(leaf.der);
    expect(leafOf(`${element},${otherElement}`)).toEqual(other.der);
    expect(leafOf(`By=x;Hash=y,${element}`)).toEqual(leaf.der);
    expect(leafOf(otherElement, element)).toEqual(leaf.der);
    expect(leafOf('nonsense', element)).toEqual(leaf.der);
    const objects = [other, leaf].map((certificate) => xfccObject({ leaf: certificate, uris: [] }));
    expect(leafOf(JSON.stringify(objects))).toEqual(leaf.der);
  });

  test('is not that of an earlier element when the last has none', () => {
    expect(readForwardedCertificate([`${element},Hash=${leaf.hash}`])).toEqual(
      refused('certificate_missing'),
    );
    expect(readForwardedCertificate([element, ''])).toEqual(refused('xfcc_malformed'));
  });

  test('is refused beside an earlier one that cannot be read', () => {
    expect(readForwardedCertificate([`Cert="x",${element}`])).toEqual(refused('xfcc_malformed'));
  });

  test('is missing without the header', () => {
    expect(readForwardedCertificate([])).toEqual(refused('xfcc_missing'));
  });

  test('has to be one certificate', () => {
    expect(readForwardedCertificate([`Cert="x"`])).toEqual(refused('certificate_malformed'));
    expect(readForwardedCertificate([`Cert=""`])).toEqual(refused('certificate_missing'));
    const two = `Cert="${leaf.encoded}${other.encoded}"`;
    expect(readForwardedCertificate([two])).toEqual(refused('certificate_malformed'));
  });

  test('has to have the Hash that stands beside it, in either case', () => {
    const cert = `Cert="${leaf.encoded}"`;
    expect(leafOf(`Hash=${leaf.hash.toUpperCase()};${cert}`)).toEqual(leaf.der);
    for (const hash of [other.hash, '', leaf.hash.slice(0, -1)]) {
      expect(readForwardedCertificate([`Hash=${hash};${cert}`])).toEqual(refused('xfcc_mismatch'));
    }
  });

  test('has to have the URIs that stand beside it', () => {
    const cert = `Cert="${leaf.encoded}"`;
    for (const uri of ['URI=', 'URI=spiffe://example.org/victim', `URI=${WORKLOAD};URI=${WORKLOAD}`]) {
      expect(readForwardedCertificate([`${cert};${uri}`])).toEqual(refused('xfcc_mismatch'));
    }
  });

  test('is refused beside a Chain that cannot be read', () => {
    expect(readForwardedCertificate([`Cert="${leaf.encoded}";Chain="x"`])).toEqual(refused('xfcc_malformed'));
  });
});
