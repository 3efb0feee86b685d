import { readActors } from '../../src/token/delegation.js';
import type { TrustedIssuer } from '../../src/token/verifier.js';
import { workloadTemplate } from '../../src/token/workload-rule.js';
import { refused, setUpWith, TestKey } from './support.js';

describe('the chain of actors', () => {
  test('is read from the outermost on, each without those nested in it', () => {
    const act = { sub: 'b', iss: 'https://idp.example.org', act: { client_id: 'a', note: 1 } };
    expect(readActors(act)).toEqual([
      { sub: 'b', iss: 'https://idp.example.org' },
      { client_id: 'a', note: 1 },
    ]);
    expect(readActors(undefined)).toEqual([]);
  });

  test('is as long as allowed and no longer', () => {
    const nested = (depth: number): { sub: string } =>
      depth === 1 ? { sub: 'a' } : Object.assign({ sub: 'a' }, { act: nested(depth - 1) });
    expect(readActors(nested(4), 4)).toHaveLength(4);
    expect(readActors(nested(5), 4)).toEqual(refused('token_delegation_too_deep'));
    expect(readActors(nested(5_000))).toEqual(refused('token_delegation_too_deep'));
    expect(readActors({ sub: 'a' }, 0)).toEqual(refused('token_delegation_too_deep'));
    expect(readActors(undefined, 0)).toEqual([]);
  });

  test.each([
    [null],
    ['a'],
    [7],
    [[]],
    [[{ sub: 'a' }]],
    [{}],
    [{ name: 'a' }],
    [{ sub: '' }],
    [{ sub: 7 }],
    [{ sub: ['a'] }],
    [{ sub: 'a', iss: 7 }],
    [{ client_id: null, sub: 'a' }],
    [{ sub: 'a', act: null }],
    [{ sub: 'a', act: 'b' }],
    [{ sub: 'a', act: {} }],
    [JSON.parse('{"__proto__":{"sub":"a"}}')],
  ])('%j is none', (act) => {
    expect(readActors(act)).toEqual(refused('token_claims_invalid'));
  });
});

const key = await TestKey.create('k1');
const WEB = 'spiffe://example.org/ns/shop/sa/web';
const ADMIN = 'spiffe://example.org/ns/shop/sa/admin';

describe('a token that somebody acts with', () => {
  const setUp = (rules: Partial<TrustedIssuer> = {}) => setUpWith([key], rules);
  const byTemplate = { actor: workloadTemplate('spiffe://example.org/ns/shop/sa/{sub}') };

  test('is presented by the outermost actor where the issuer says who that is', async () => {
    const { verify } = await setUp(byTemplate);
    const token = await key.token({ act: { sub: 'web', act: { sub: 'admin' } } });
    expect(await verify(token, { presenter: WEB })).toMatchObject({
      subject: 'alice',
      actor: { sub: 'web' },
      actors: [{ sub: 'web' }, { sub: 'admin' }],
      binding: 'spiffe',
    });
  });

  test('trap 68: is refused of a nested actor, however privileged', async () => {
    const { verify } = await setUp(byTemplate);
    const token = await key.token({ act: { sub: 'web', act: { sub: 'admin' } } });
    expect(await verify(token, { presenter: ADMIN })).toMatchObject({
      code: 'token_binding_mismatch',
      misuse: { token: { subject: 'alice' }, boundBy: 'spiffe', boundTo: WEB },
    });
  });

  test('is refused where nobody is known to present it', async () => {
    const { verify } = await setUp(byTemplate);
    expect(await verify(await key.token({ act: { sub: 'web' } }))).toEqual(refused('token_binding_mismatch'));
    const unnamed = await key.token({ act: { client_id: 'web' } });
    expect(await verify(unnamed, { presenter: WEB })).toEqual(refused('token_binding_mismatch'));
  });

  test("is held to the rule for the issuer's tokens where there is none for actors", async () => {
    const { verify } = await setUp({
      workload: workloadTemplate('spiffe://example.org/ns/shop/sa/{client_id}'),
    });
    const token = await key.token({ client_id: 'web', act: { sub: 'web' } });
    expect(await verify(token, { presenter: WEB })).toMatchObject({ bindings: ['spiffe'] });
    expect(await verify(token, { presenter: ADMIN })).toEqual(refused('token_binding_mismatch'));
  });

  test('without act is none of the actor rule', async () => {
    const { verify } = await setUp(byTemplate);
    expect(await verify(await key.token(), { presenter: ADMIN })).toMatchObject({
      actors: [],
      binding: 'none',
    });
  });

  test('is refused when the chain is malformed or too long', async () => {
    const { verify } = await setUp();
    expect(await verify(await key.token({ act: {} }))).toEqual(refused('token_claims_invalid'));
    const act = { sub: 'a', act: { sub: 'a', act: { sub: 'a', act: { sub: 'a', act: { sub: 'a' } } } } };
    expect(await verify(await key.token({ act }))).toEqual(refused('token_delegation_too_deep'));
  });
});
