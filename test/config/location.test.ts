import { discoverableFault, isFilePath, jwksFault, pathFault } from '../../src/config/location.js';

describe('jwks', () => {
  test.each([
    './jwks.json',
    '/etc/keys/jwks.json',
    'discovery',
    'https://idp.example.org/keys?v=1',
    'http://localhost:9000/keys',
    'http://127.0.0.1:9000/keys',
    'http://127.8.9.10/keys',
    'http://[::1]:9000/keys',
  ])('%s is a place where keys may come from', (location) => {
    expect(jwksFault(location)).toBeUndefined();
  });

  test.each([
    'http://idp.example.org/keys',
    'HTTP://idp.example.org/keys',
    'http://192.0.2.1/keys',
    'http://localhost.example.org/keys',
    'http://127.0.0.1.example.org/keys',
    'http://128.0.0.1/keys',
    'http://[::ffff:7f00:1]/keys',
  ])('%s is plain http to another host, and https is the mend', (location) => {
    expect(jwksFault(location)).toMatchObject({
      wrong: 'is a plain http URL to another host',
      mend: expect.stringContaining('use https'),
    });
  });

  test.each(['ftp://idp.example.org/keys', 'file:///etc/keys.json', 'https://', ''])(
    '%j is refused',
    (location) => {
      expect(jwksFault(location)).toBeDefined();
    },
  );

  test('a URL with a password is refused, without the password in the text', () => {
    const fault = jwksFault('https://user:hunter2@idp.example.org/keys');
    expect(fault?.wrong).toContain('password');
    expect(JSON.stringify(fault)).not.toContain('hunter2');
  });

  test('a file that is called discovery can be named', () => {
    expect(isFilePath('discovery')).toBe(false);
    expect(isFilePath('./discovery')).toBe(true);
  });
});

describe('an issuer to be discovered', () => {
  test.each(['https://idp.example.org', 'https://idp.example.org/tenant/', 'http://127.0.0.1:8080'])(
    'may be %s',
    (issuer) => {
      expect(discoverableFault(issuer)).toBeUndefined();
    },
  );

  test.each([
    'idp.example.org',
    'urn:example:idp',
    'http://idp.example.org',
    'https://idp.example.org?tenant=a',
    'https://idp.example.org/#a',
    'https://u:p@idp.example.org',
  ])('may not be %s', (issuer) => {
    expect(discoverableFault(issuer)?.wrong).toContain('cannot be discovered');
  });
});

describe('a path', () => {
  test.each(['a.pem', './a b.pem', '/etc/a.pem', '../a.pem', 'https'])('may be %s', (path) => {
    expect(pathFault(path)).toBeUndefined();
  });

  test.each([
    ['empty', ''],
    ['a URL', 'https://example.org/bundle'],
    ['what the file should have in it', '-----BEGIN CERTIFICATE-----\nMIIB\n'],
    ['one with a NUL', 'a\0b'],
  ])('may not be %s', (_, path) => {
    expect(pathFault(path)).toBeDefined();
  });
});
