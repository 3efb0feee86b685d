import { readCredential } from '../../src/token/bearer.js';
import { refused } from './support.js';

function read(lines: readonly string[], maxBytes: number) {
  const credential = readCredential(lines, maxBytes);
  return 'token' in credential ? credential.token : credential;
}

describe('the authorization header', () => {
  test.each(['Bearer a.b.c', 'bearer a.b.c', 'BEARER a.b.c', 'Bearer   a.b.c'])(
    'of %j holds a token',
    (line) => {
      expect(read([line], 100)).toBe('a.b.c');
    },
  );

  test.each(['DPoP a.b.c', 'dpop a.b.c', 'DPOP   a.b.c'])(
    'of %j holds a token that a proof goes with',
    (line) => {
      expect(readCredential([line], 100)).toEqual({ scheme: 'dpop', token: 'a.b.c' });
      expect(readCredential(['bEarer a.b.c'], 100)).toEqual({ scheme: 'bearer', token: 'a.b.c' });
    },
  );

  test.each(['Bearer AZaz09-._~+/==', 'Bearer a='])('of %j is a token68', (line) => {
    expect(read([line], 100)).toBe(line.slice(7));
  });

  test.each([
    ['no header', [], 'token_missing'],
    ['an empty one', [''], 'token_missing'],
    ['Basic', ['Basic YWxpY2U6eA=='], 'token_missing'],
    ['DPoP without a token', ['DPoP'], 'token_malformed'],
    ['a tab after DPoP', ['DPoP\ta.b.c'], 'token_malformed'],
    ['a comma after a DPoP token', ['DPoP a.b.c,'], 'token_duplicate'],
    ['a scheme that begins like DPoP', ['DPoPs a.b.c'], 'token_missing'],
    ['a scheme that only begins alike', ['BearerToken a.b.c'], 'token_missing'],
    ['a token without a scheme', ['a.b.c'], 'token_missing'],
    ['a space before the scheme', [' Bearer a.b.c'], 'token_malformed'],
    ['a tab after the scheme', ['Bearer\ta.b.c'], 'token_malformed'],
    ['two headers', ['Bearer a.b.c', 'Bearer a.b.c'], 'token_duplicate'],
    ['a second header of another scheme', ['Bearer a.b.c', 'Basic x'], 'token_duplicate'],
    ['a second, empty header', ['Bearer a.b.c', ''], 'token_duplicate'],
    ['two headers that Envoy joined', ['Bearer a.b.c,Bearer d.e.f'], 'token_duplicate'],
    ['a comma at the end', ['Bearer a.b.c,'], 'token_duplicate'],
    ['a comma alone', [','], 'token_duplicate'],
    ['parameters of another scheme', ['Digest a="b", c="d"'], 'token_duplicate'],
    ['a scheme alone', ['Bearer'], 'token_malformed'],
    ['a scheme and spaces', ['Bearer   '], 'token_malformed'],
    ['two tokens', ['Bearer a.b.c d.e.f'], 'token_malformed'],
    ['a space at the end', ['Bearer a.b.c '], 'token_malformed'],
    ['a line feed at the end', ['Bearer a.b.c\n'], 'token_malformed'],
    ['a NUL', ['Bearer a.b.c\0'], 'token_malformed'],
    ['letters beyond ASCII', ['Bearer a.b.ç'], 'token_malformed'],
    ['an equals sign in the middle', ['Bearer a=.b.c'], 'token_malformed'],
    ['quotes', ['Bearer "a.b.c"'], 'token_malformed'],
    ['JSON', ['Bearer {"payload":"x"}'], 'token_malformed'],
    ['too much of what is no token', [`Bearer ${'{'.repeat(101)}`], 'token_too_large'],
  ])('with %s is refused', (_, lines, code) => {
    expect(read(lines, 100)).toEqual(refused(code));
  });

  test('may hold exactly as many bytes of token as allowed', () => {
    expect(read([`Bearer ${'a'.repeat(100)}`], 100)).toHaveLength(100);
    expect(read([`Bearer ${'a'.repeat(101)}`], 100)).toEqual(refused('token_too_large'));
    expect(read([`Bearer ${' '.repeat(500)}${'a'.repeat(100)}`], 100)).toHaveLength(100);
  });

  test.each(['\n', '\r', '\u2028', '\u2029', 'é', 'x\u2028'])(
    'with spaces beyond counting before %j is refused like any other',
    (end) => {
      expect(read([`Bearer${' '.repeat(60_000)}${end}`], 100)).toEqual(refused('token_malformed'));
    },
  );

  test('is never quoted in a refusal', () => {
    for (const lines of [
      ['Basic s3cret'],
      ['Bearer s3cret '],
      ['Bearer s3cret,'],
      [`Bearer s3cret${'a'.repeat(100)}`],
    ])
      expect(JSON.stringify(read(lines, 100))).not.toContain('s3cret');
  });
});
