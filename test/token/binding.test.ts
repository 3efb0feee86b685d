import { isRefusal } from '../../src/errors/refusal.js';
import { bindingsOf, checkCertificate, checkWorkload, readConfirmation } from '../../src/token/binding.js';
import { refused } from './support.js';

const THUMBPRINT = 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2';

describe('cnf', () => {
  test.each([
    [undefined, []],
    [{ 'x5t#S256': THUMBPRINT }, ['x5t#S256']],
    [{ jkt: THUMBPRINT }, ['dpop']],
    [{ jkt: THUMBPRINT, 'x5t#S256': THUMBPRINT }, ['x5t#S256', 'dpop']],
    [{ 'x5t#S256': '' }, ['x5t#S256']],
    [{ jkt: '' }, ['dpop']],
  ])('of %j binds by %j', (cnf, kinds) => {
    const bonds = readConfirmation(cnf);
    expect(isRefusal(bonds) ? bonds : bindingsOf(bonds)).toEqual(kinds);
  });

  test.each([
    [null, 'token_claims_invalid'],
    ['x5t#S256', 'token_claims_invalid'],
    [7, 'token_claims_invalid'],
    [true, 'token_claims_invalid'],
    [[], 'token_claims_invalid'],
    [[{ 'x5t#S256': THUMBPRINT }], 'token_claims_invalid'],
    [{ 'x5t#S256': null }, 'token_claims_invalid'],
    [{ 'x5t#S256': 7 }, 'token_claims_invalid'],
    [{ 'x5t#S256': [THUMBPRINT] }, 'token_claims_invalid'],
    [{ jkt: null }, 'token_claims_invalid'],
    [{ jkt: [THUMBPRINT] }, 'token_claims_invalid'],
    [{}, 'token_binding_unsupported'],
    [{ jwk: {} }, 'token_binding_unsupported'],
    [{ kid: 'k1' }, 'token_binding_unsupported'],
    [{ 'x5t#s256': THUMBPRINT }, 'token_binding_unsupported'],
    [{ 'x5t#S256': THUMBPRINT, kid: 'k1' }, 'token_binding_unsupported'],
    [{ jkt: THUMBPRINT, jwe: '' }, 'token_binding_unsupported'],
    [JSON.parse(`{"__proto__":"${THUMBPRINT}"}`), 'token_binding_unsupported'],
  ])('of %j is refused with %s', (cnf, code) => {
    expect(readConfirmation(cnf)).toEqual(refused(code));
  });
});

describe('a certificate', () => {
  test('is the one that the token is bound to, or it is not', () => {
    expect(checkCertificate(THUMBPRINT, THUMBPRINT)).toBeUndefined();
    for (const other of [
      '',
      `${THUMBPRINT}=`,
      THUMBPRINT.slice(0, -1),
      THUMBPRINT.toUpperCase(),
      `${THUMBPRINT}\0`,
    ])
      expect(checkCertificate(other, THUMBPRINT)).toEqual(refused('token_binding_mismatch'));
    for (const bound of [THUMBPRINT, '', 'undefined'])
      expect(checkCertificate(bound, undefined)).toEqual(refused('token_binding_mismatch'));
  });
});

describe('the workloads that a token names', () => {
  test('may present it, character for character, and nobody else may', () => {
    const named = ['spiffe://example.org/a', 'spiffe://example.org/b'];
    expect(checkWorkload(named, 'spiffe://example.org/b')).toBeUndefined();
    for (const other of [
      'spiffe://example.org/c',
      'spiffe://example.org/A',
      'spiffe://example.org/a/',
      undefined,
    ])
      expect(checkWorkload(named, other)).toEqual(refused('token_binding_mismatch'));
    expect(checkWorkload([], 'spiffe://example.org/a')).toEqual(refused('token_binding_mismatch'));
  });
});
