import { isRefusal } from '../../src/errors/refusal.js';
import { readCertificate } from '../../src/identity/certificate.js';
import { readSvid } from '../../src/identity/svid.js';
import { EKU, KeyUsageFlags, TestCa, WORKLOAD, unknownExtension, type LeafOptions } from '../support/ca.js';

const ca = await TestCa.create();

async function svid(options: LeafOptions = {}) {
  const certificate = readCertificate((await ca.issue(options)).der);
  if (isRefusal(certificate)) throw new Error(certificate.detail);
  return readSvid(certificate.fields);
}

const refused = (code: string, detail: string) => ({
  refused: true,
  code,
  detail: expect.stringContaining(detail),
});

describe('a leaf', () => {
  test('names the workload of its one URI', async () => {
    expect(await svid()).toMatchObject({ text: WORKLOAD, trustDomain: 'example.org' });
  });

  test('may have DNS names beside its URI', async () => {
    expect(await svid({ dns: ['frontend.shop', 'spiffe://other.org/a'] })).toMatchObject({ text: WORKLOAD });
  });

  test('may leave out extKeyUsage', async () => {
    expect(await svid({ extendedKeyUsage: null })).toMatchObject({ text: WORKLOAD });
  });

  test('may have extensions nobody knows, as long as they are not critical', async () => {
    expect(await svid({ extensions: [unknownExtension(false)] })).toMatchObject({ text: WORKLOAD });
    expect(await svid({ extensions: [unknownExtension(true)] })).toEqual(
      refused('certificate_untrusted', '1.3.6.1.4.1.99999.1'),
    );
  });

  test('trap 24: with two URIs is refused', async () => {
    const outcome = await svid({ uris: [WORKLOAD, 'spiffe://example.org/other'] });
    expect(outcome).toEqual(refused('spiffe_id_ambiguous', '2 URIs'));
    expect(await svid({ uris: [WORKLOAD, WORKLOAD] })).toEqual(refused('spiffe_id_ambiguous', '2 URIs'));
    expect(await svid({ uris: [WORKLOAD, 'https://example.org'] })).toMatchObject({
      code: 'spiffe_id_ambiguous',
    });
  });

  test('without a URI is refused', async () => {
    expect(await svid({ uris: [] })).toMatchObject({ code: 'spiffe_id_missing' });
    expect(await svid({ uris: [], dns: ['spiffe://example.org/a'] })).toMatchObject({
      code: 'spiffe_id_missing',
    });
  });

  test.each([
    'https://example.org/a',
    'spiffe://example.org',
    'spiffe://Example.org/a',
    'spiffe://example.org/a\0b',
  ])('with a URI that names no workload is refused: %j', async (uri) =>
    expect(await svid({ uris: [uri] })).toMatchObject({ code: 'spiffe_id_invalid' }),
  );

  test('trap 31: that is a CA is refused', async () => {
    expect(await svid({ ca: true })).toEqual(refused('certificate_usage_invalid', 'a CA'));
  });

  test('trap 32: with keyCertSign is refused', async () => {
    const keyUsage = KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign;
    expect(await svid({ keyUsage })).toEqual(refused('certificate_usage_invalid', 'keyCertSign'));
  });

  test.each<[string, LeafOptions, string]>([
    ['cRLSign', { keyUsage: KeyUsageFlags.digitalSignature | KeyUsageFlags.cRLSign }, 'cRLSign'],
    [
      'keyUsage without digitalSignature',
      { keyUsage: KeyUsageFlags.keyEncipherment },
      'lacks digitalSignature',
    ],
    ['no keyUsage', { keyUsage: null }, 'no keyUsage'],
    ['keyUsage that is not critical', { keyUsageCritical: false }, 'not critical'],
    ['extKeyUsage without clientAuth', { extendedKeyUsage: [EKU.serverAuth] }, 'clientAuth'],
    ['extKeyUsage without serverAuth', { extendedKeyUsage: [EKU.clientAuth] }, 'serverAuth'],
    ['extKeyUsage for anything', { extendedKeyUsage: ['2.5.29.37.0'] }, 'serverAuth'],
  ])('with %s is refused', async (_, options, detail) => {
    expect(await svid(options)).toEqual(refused('certificate_usage_invalid', detail));
  });
});
