import { checkBinding } from '../../src/token/binding.js';
import { refused } from './support.js';

const THUMBPRINT = 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2';

describe('cnf', () => {
  test.each([
    [undefined, undefined, 'none'],
    [undefined, THUMBPRINT, 'none'],
    [{ 'x5t#S256': THUMBPRINT }, THUMBPRINT, 'x5t#S256'],
  ])('of %j with the certificate %j binds by %s', (cnf, peer, binding) => {
    expect(checkBinding(cnf, peer)).toBe(binding);
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
    [{}, 'token_binding_unsupported'],
    [{ jkt: THUMBPRINT }, 'token_binding_unsupported'],
    [{ jwk: {} }, 'token_binding_unsupported'],
    [{ kid: 'k1' }, 'token_binding_unsupported'],
    [{ 'x5t#s256': THUMBPRINT }, 'token_binding_unsupported'],
    [{ 'x5t#S256': THUMBPRINT, jkt: THUMBPRINT }, 'token_binding_unsupported'],
    [JSON.parse(`{"__proto__":"${THUMBPRINT}"}`), 'token_binding_unsupported'],
    [{ 'x5t#S256': '' }, 'token_binding_mismatch'],
    [{ 'x5t#S256': `${THUMBPRINT}=` }, 'token_binding_mismatch'],
    [{ 'x5t#S256': THUMBPRINT.slice(0, -1) }, 'token_binding_mismatch'],
    [{ 'x5t#S256': THUMBPRINT.toUpperCase() }, 'token_binding_mismatch'],
    [{ 'x5t#S256': `${THUMBPRINT}\0` }, 'token_binding_mismatch'],
  ])('of %j is refused with %s', (cnf, code) => {
    expect(checkBinding(cnf, THUMBPRINT)).toEqual(refused(code));
  });

  test('that binds to a certificate is refused without one, whatever it says', () => {
    expect(checkBinding({ 'x5t#S256': THUMBPRINT }, undefined)).toEqual(refused('token_binding_mismatch'));
    expect(checkBinding({ 'x5t#S256': '' }, undefined)).toEqual(refused('token_binding_mismatch'));
    expect(checkBinding({ 'x5t#S256': 'undefined' }, undefined)).toEqual(refused('token_binding_mismatch'));
  });
});
