import { isRefusal } from '../../src/errors/refusal.js';
import {
  readForwardedCertificates,
  type ForwardedOptions,
} from '../../src/identity/forwarded-certificate.js';
import { TestCa, WORKLOAD } from '../support/ca.js';
import { xfccObject, xfccText } from '../support/xfcc.js';

const ca = await TestCa.create();
const leaf = await ca.issue();
const other = await ca.issue({ uris: ['spiffe://example.org/victim'] });

const gateway = await ca.issue({ uris: ['spiffe://example.org/gateway'] });

const element = xfccText({ leaf, uris: [WORKLOAD] });
const otherElement = xfccText({ leaf: other, uris: ['spiffe://example.org/victim'] });

/** As one trusted hop writes it. */
function readForwardedCertificate(lines: readonly string[], options: Partial<ForwardedOptions> = {}) {
  const read = readForwardedCertificates(lines, { trustedHops: 1, format: 'auto', ...options });
  return isRefusal(read) ? read : read.client;
}

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

describe('with more than one trusted hop', () => {
  const elements = [
    `By=x;Hash=y`,
    otherElement,
    element,
    xfccText({ leaf: gateway, uris: ['spiffe://example.org/gateway'] }),
  ];
  const line = elements.join(',');
  const read = (lines: string[], trustedHops: number, format: ForwardedOptions['format'] = 'auto') => {
    const all = readForwardedCertificates(lines, { trustedHops, format });
    if (isRefusal(all)) return all;
    return [all.client, ...all.hops].map(({ leaf: { der } }) => der);
  };

  test('trap 47: the client is so many from the end, and what stands before it is ignored', () => {
    expect(read([line], 1)).toEqual([gateway.der]);
    expect(read([line], 2)).toEqual([leaf.der, gateway.der]);
    expect(read([line], 3)).toEqual([other.der, leaf.der, gateway.der]);
  });

  test('elements count across lines, the last line first', () => {
    expect(read(elements, 2)).toEqual([leaf.der, gateway.der]);
    expect(read(['nonsense', elements[2]!, elements[3]!], 2)).toEqual([leaf.der, gateway.der]);
    expect(read([`${elements[1]},${elements[2]}`, elements[3]!], 2)).toEqual([leaf.der, gateway.der]);
  });

  test('more than four elements before those that count are refused before any certificate of theirs is read', () => {
    const before = (count: number) => [...Array<string>(count).fill(elements[0]!), elements[3]!].join(',');
    expect(read([before(4)], 1)).toEqual([gateway.der]);
    expect(read([before(5)], 1)).toEqual(refused('xfcc_malformed'));
  });

  test('fewer elements than hops are refused: one of them was passed by', () => {
    expect(read([element], 2)).toEqual(refused('xfcc_missing'));
    expect(read([line], 5)).toEqual(refused('xfcc_missing'));
  });

  test('each of them has to have a certificate', () => {
    expect(read([`Hash=${leaf.hash},${elements[3]}`], 2)).toEqual(refused('certificate_missing'));
    expect(read([`${element},Hash=${gateway.hash}`], 2)).toEqual(refused('certificate_missing'));
  });

  test('trap 45: what a client smuggles in cannot move the count', async () => {
    const victim = `,Hash=${other.hash};Cert="${other.encoded}"`;
    const uris = [`spiffe://a/b${victim}`];
    const attacker = await ca.issue({ uris });
    const forged = `${xfccText({ leaf: attacker, uris })},${elements[3]}`;
    for (const hops of [1, 2, 3]) {
      const outcome = read([forged], hops);
      if (isRefusal(outcome)) expect(outcome.code).toMatch(/^xfcc_(malformed|mismatch)$/);
      else expect(outcome[0]).toEqual(attacker.der);
    }
    expect(read([forged], 2)).toEqual(refused('xfcc_malformed'));
  });
});

describe('the form of the header', () => {
  const json = JSON.stringify([xfccObject({ leaf, uris: [WORKLOAD] })]);

  test('trap 46: is the one that was configured, or the header is refused', () => {
    expect(readForwardedCertificate([element], { format: 'text' })).toMatchObject({
      leaf: { der: leaf.der },
    });
    expect(readForwardedCertificate([json], { format: 'json' })).toMatchObject({ leaf: { der: leaf.der } });
    expect(readForwardedCertificate([json], { format: 'text' })).toEqual(refused('xfcc_malformed'));
    expect(readForwardedCertificate([element], { format: 'json' })).toEqual(refused('xfcc_malformed'));
  });
});
