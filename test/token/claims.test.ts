import { parseExact } from '../../src/json/exact.js';
import { checkTime, readClaims, type ClaimRules } from '../../src/token/claims.js';
import type { JsonObject } from '../../src/jws/compact.js';
import { CLAIMS, ISSUER, NOW, SECONDS, refused } from './support.js';

const RULES: ClaimRules = {
  issuer: ISSUER,
  audiences: ['orders'],
  profile: 'at+jwt',
  maxLifetime: 300_000,
  clockSkew: 0,
};

function read(claims: object, rules: Partial<ClaimRules> = {}, now = NOW) {
  // What JSON cannot carry would not come from a token.
  const payload = parseExact(JSON.stringify({ ...CLAIMS, ...claims })) as JsonObject;
  return readClaims(payload, { ...RULES, ...rules }, now);
}

describe('what RFC 9068 requires', () => {
  test.each(['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'])('%s may not be missing', (name) => {
    expect(read({ [name]: undefined })).toEqual({
      refused: true,
      code: 'token_claims_invalid',
      detail: `${name} is missing`,
    });
  });

  test('client_id and jti may be missing where the issuer does not follow it, the others may not', () => {
    for (const name of ['iss', 'exp', 'aud', 'sub', 'iat'])
      expect(read({ [name]: undefined }, { profile: 'jwt' })).toEqual(refused('token_claims_invalid'));
    expect(read({ client_id: undefined, jti: undefined }, { profile: 'jwt' })).not.toHaveProperty('clientId');
  });

  test.each(['iss', 'sub', 'client_id', 'jti'])('%s is a string', (name) => {
    for (const value of [1, null, true, ['alice'], {}])
      for (const profile of ['at+jwt', 'jwt'] as const)
        expect(read({ [name]: value }, { profile })).toEqual(refused('token_claims_invalid'));
  });

  test.each(['exp', 'nbf', 'iat'])('%s is a NumericDate', (name) => {
    for (const value of ['1893456000', null, true, [SECONDS], {}])
      expect(read({ [name]: value })).toEqual(refused('token_claims_invalid'));
  });

  test('iss is the issuer of the key', () => {
    expect(read({ iss: 'https://other.example.org' })).toEqual(refused('token_claims_invalid'));
  });

  test('a refusal names the claim and never its value', () => {
    for (const claims of [{ sub: ['s3cret'] }, { iss: 's3cret' }, { aud: 's3cret' }, { exp: 's3cret' }])
      expect(JSON.stringify(read(claims))).not.toContain('s3cret');
  });
});

describe('scope', () => {
  test.each([
    [undefined, []],
    ['', []],
    [' ', []],
    ['read', ['read']],
    ['write  read ', ['write', 'read']],
    [
      ['read', 'write all'],
      ['read', 'write all'],
    ],
    [[], []],
  ])('of %j is %j', (scope, scopes) => {
    expect(read({ scope })).toMatchObject({ scopes });
  });

  test.each([[1], [null], [['read', 1]], [{ read: true }]])('of %j is refused', (scope) => {
    expect(read({ scope })).toEqual(refused('token_claims_invalid'));
  });
});

describe('the time', () => {
  test.each([
    ['exp has come', {}, 0, 300_000, 'token_expired'],
    ['exp has almost come', {}, 0, 299_999, undefined],
    ['exp has come within the leeway', {}, 30_000, 329_999, undefined],
    ['the leeway is over', {}, 30_000, 330_000, 'token_expired'],
    ['exp is fractional and has come', { exp: SECONDS + 0.5 }, 0, 500, 'token_expired'],
    ['exp is fractional and has not come', { exp: SECONDS + 0.5 }, 0, 499, undefined],
    ['nbf has not come', { nbf: SECONDS + 10 }, 0, 9_999, 'token_not_yet_valid'],
    ['nbf has come', { nbf: SECONDS + 10 }, 0, 10_000, undefined],
    ['nbf comes within the leeway', { nbf: SECONDS + 10 }, 5_000, 5_000, undefined],
    ['nbf comes after the leeway', { nbf: SECONDS + 10 }, 5_000, 4_999, 'token_not_yet_valid'],
    ['iat is in the future', {}, 0, -1, 'token_not_yet_valid'],
    ['iat is now', {}, 0, 0, undefined],
    ['iat is in the future within the leeway', {}, 5_000, -5_000, undefined],
    ['iat is in the future beyond the leeway', {}, 5_000, -5_001, 'token_not_yet_valid'],
    ['exp is far in the past', { exp: -1 }, 0, 0, 'token_expired'],
    ['exp and iat are beyond any clock', { exp: 1e300, iat: 1e300 }, 0, 0, 'token_not_yet_valid'],
    ['the clock gives no number', {}, 0, Number.NaN, 'token_expired'],
  ] as const)('when %s', (_, claims, clockSkew, after, code) => {
    const outcome = read(claims, { clockSkew }, NOW + after);
    expect(outcome).toEqual(
      code === undefined ? expect.objectContaining({ subject: 'alice' }) : refused(code),
    );
  });

  test.each([
    [300, undefined],
    [300.001, 'token_lifetime_exceeded'],
    [1e300, 'token_lifetime_exceeded'],
  ] as const)('of a life of %d s where 300 are allowed', (seconds, code) => {
    const outcome = read({ exp: SECONDS + seconds });
    expect(outcome).toEqual(
      code === undefined ? expect.objectContaining({ subject: 'alice' }) : refused(code),
    );
  });

  test('cannot stretch a life by an iat in the past beyond counting', () => {
    expect(read({ iat: -1e308, exp: 1e308 })).toEqual(refused('token_lifetime_exceeded'));
  });

  test('is checked again alone for what is remembered', () => {
    const claims = { expiresAt: SECONDS, notBefore: SECONDS - 1 };
    expect(checkTime(claims, 0, NOW - 1)).toBeUndefined();
    expect(checkTime(claims, 0, NOW)).toEqual(refused('token_expired'));
    expect(checkTime(claims, 0, NOW - 1001)).toEqual(refused('token_not_yet_valid'));
    expect(checkTime({ expiresAt: SECONDS }, 0, 0)).toBeUndefined();
  });
});
