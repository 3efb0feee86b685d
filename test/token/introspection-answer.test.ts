import { readAnswer, readIntrospected, type AnswerRules } from '../../src/token/introspection-answer.js';
import { ISSUER, NOW, SECONDS, refused } from './support.js';

const RULES: AnswerRules = {
  issuer: ISSUER,
  audiences: ['orders'],
  profile: 'at+jwt',
  maxLifetime: 300_000,
  clockSkew: 0,
};

const ACTIVE = { active: true, client_id: 'frontend', aud: 'orders', iat: SECONDS, exp: SECONDS + 300 };

const read = (members: object, rules: Partial<AnswerRules> = {}, own = {}) =>
  readIntrospected(JSON.stringify({ ...ACTIVE, ...members }), own, { ...RULES, ...rules }, NOW);

describe('an introspection response', () => {
  test.each([
    '',
    'null',
    '[]',
    '"active"',
    '{"active":true',
    '{}',
    '{"active":"true"}',
    '{"active":1}',
    '{"active":null}',
    '{"active":false,"active":true}',
  ])('is none if it is %s', (body) => {
    expect(readAnswer(body)).toBeNull();
    expect(readIntrospected(body, {}, RULES, NOW)).toEqual(refused('token_introspection_unavailable'));
  });

  test('that is not active refuses, whatever else it says', () => {
    expect(read({ active: false })).toEqual(refused('token_inactive'));
  });

  test('tells what a token grants, as a JWT would', () => {
    expect(read({ sub: 'alice', scope: 'orders:read orders:write', roles: ['buyer'] })).toEqual({
      issuer: ISSUER,
      subject: 'alice',
      clientId: 'frontend',
      audience: ['orders'],
      scopes: ['orders:read', 'orders:write'],
      roles: ['buyer'],
      groups: [],
      claims: {
        client_id: 'frontend',
        aud: 'orders',
        iat: SECONDS,
        exp: SECONDS + 300,
        sub: 'alice',
        scope: 'orders:read orders:write',
        roles: ['buyer'],
      },
      issuedAt: SECONDS,
      expiresAt: SECONDS + 300,
    });
  });

  test.each([
    [{ iss: 'https://other.example.org' }, 'token_claims_invalid'],
    [{ iss: `${ISSUER}/` }, 'token_claims_invalid'],
    [{ aud: 'billing' }, 'token_audience_mismatch'],
    [{ aud: undefined }, 'token_claims_invalid'],
    [{ exp: undefined }, 'token_claims_invalid'],
    [{ exp: String(SECONDS + 300) }, 'token_claims_invalid'],
    [{ exp: SECONDS }, 'token_expired'],
    [{ nbf: SECONDS + 1 }, 'token_not_yet_valid'],
    [{ iat: SECONDS + 1 }, 'token_not_yet_valid'],
    [{ exp: SECONDS + 301 }, 'token_lifetime_exceeded'],
    [{ client_id: undefined }, 'token_claims_invalid'],
    [{ scope: 1 }, 'token_claims_invalid'],
  ])('with %j is refused as a JWT would be: %s', (members, code) => {
    expect(read(members)).toEqual(refused(code));
  });

  test('may leave iss out: it is known who answers', () => {
    expect(read({})).toMatchObject({ issuer: ISSUER });
    expect(read({ iss: ISSUER })).toMatchObject({ issuer: ISSUER });
  });

  test('without sub is about the client itself', () => {
    expect(read({})).toMatchObject({ subject: 'frontend', clientId: 'frontend' });
  });

  test('without aud counts only where configuration says for whom it then is', () => {
    expect(read({ aud: undefined }, { assumedAudience: 'orders' })).toMatchObject({ audience: ['orders'] });
    expect(read({ aud: 'billing' }, { assumedAudience: 'orders' })).toEqual(
      refused('token_audience_mismatch'),
    );
  });

  test('without iat may have no more left than a whole life; and no iat is made up for policies', () => {
    const young = read({ iat: undefined });
    expect(young).toMatchObject({ expiresAt: SECONDS + 300 });
    expect(young).not.toHaveProperty('issuedAt');
    expect(young).not.toHaveProperty('claims.iat');
    expect(read({ iat: undefined, exp: SECONDS + 301 })).toEqual(refused('token_lifetime_exceeded'));
  });

  test.each([
    { token_type: 'refresh_token' },
    { token_type: 'N_A' },
    { token_type: 1 },
    { token_use: 'refresh_token' },
    { token_use: 'id' },
  ])('about a token of another kind, %j, is refused', (members) => {
    expect(read(members)).toEqual(refused('token_type_refused'));
  });

  test.each([
    { token_type: 'Bearer' },
    { token_type: 'bearer' },
    { token_use: 'access_token' },
    { token_use: 'access' },
  ])('about an access token, %j, is taken', (members) => {
    expect(read(members)).toMatchObject({ subject: 'frontend' });
  });

  test('that calls a token bound and does not say to what is refused', () => {
    expect(read({ token_type: 'DPoP' })).toEqual(refused('token_binding_unsupported'));
    expect(read({ token_type: 'DPoP', cnf: { jkt: 'x' } })).toMatchObject({ claims: { cnf: { jkt: 'x' } } });
  });

  test('adds to what the token itself said, and overrules it', () => {
    const own = { sub: 'alice', scope: 'orders:read orders:write', cnf: { 'x5t#S256': 'x' } };
    expect(read({ scope: 'orders:read' }, {}, own)).toMatchObject({
      subject: 'alice',
      scopes: ['orders:read'],
      claims: { cnf: { 'x5t#S256': 'x' } },
    });
  });
});
