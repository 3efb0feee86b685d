import { isRefusal } from '../../src/errors/refusal.js';
import { readCertificate } from '../../src/identity/certificate.js';
import { withinConstraints } from '../../src/identity/name-constraints.js';
import { TestCa, encodeDer, extension, nameConstraints, type LeafOptions } from '../support/ca.js';

const ca = await TestCa.create();

function read(der: Buffer) {
  const certificate = readCertificate(der);
  if (isRefusal(certificate)) throw new Error(certificate.detail);
  return certificate.fields;
}

async function within(leaf: LeafOptions, ...constraints: Parameters<typeof nameConstraints>) {
  const limited = await TestCa.create({ extensions: [nameConstraints(...constraints)] });
  return withinConstraints(read((await ca.issue(leaf)).der), read(limited.certificate.der).nameConstraints!);
}

const DNS = 0x82;
const DIRECTORY = 0xa4;

describe('name constraints', () => {
  test.each([
    [['example.org'], [], true],
    [['EXAMPLE.org'], [], true],
    [['other.org', 'example.org'], [], true],
    [['other.org'], [], false],
    [['ample.org'], [], false],
    [['.org'], [], true],
    [['.example.org'], [], false],
    [[''], [], true],
    [[], ['example.org'], false],
    [[], ['.org'], false],
    [[], ['other.org'], true],
    [[], [''], false],
    [['.org'], ['example.org'], false],
  ])(
    'on URIs: with %j permitted and %j excluded, spiffe://example.org/… is within: %p',
    async (yes, no, is) => {
      expect(await within({}, yes, no)).toBe(is);
    },
  );

  test('on URIs leave no way out for a URI whose host cannot be read', async () => {
    for (const uri of ['urn:example', 'https://[::1]/', 'https://a@example.org/', 'https://EXAMPLE.ORG/']) {
      expect(await within({ uris: [uri] }, [], ['other.org'])).toBe(false);
    }
  });

  test('on other names refuse who has such a name, as it cannot be judged', async () => {
    expect(await within({}, ['frontend.shop'], [], DNS)).toBe(true);
    expect(await within({ dns: ['frontend.shop'] }, ['frontend.shop'], [], DNS)).toBe(false);
  });

  test('on directory names reach the subject', async () => {
    expect(await within({}, [encodeDer(0x30).toString('latin1')], [], DIRECTORY)).toBe(false);
  });

  test('with a minimum or a maximum make the CA unreadable', async () => {
    const base = encodeDer(0x86, Buffer.from('example.org'));
    const subtree = encodeDer(0x30, base, encodeDer(0x80, Buffer.from([1])));
    const value = encodeDer(0x30, encodeDer(0xa0, subtree));
    const limited = await TestCa.create({ extensions: [extension('2.5.29.30', true, value)] });
    expect(readCertificate(limited.certificate.der)).toMatchObject({ code: 'certificate_malformed' });
  });
});
