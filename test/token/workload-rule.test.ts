import { workloadTable, workloadTemplate } from '../../src/token/workload-rule.js';
import { refused, setUpWith, TestKey } from './support.js';

const WEB = 'spiffe://example.org/ns/shop/sa/web';

describe('a template', () => {
  test.each([
    ['spiffe://example.org/ns/shop/sa/{client_id}', { client_id: 'web' }, [WEB]],
    ['spiffe://example.org/ns/{ns}/sa/{sub}', { ns: 'shop', sub: 'web' }, [WEB]],
    ['spiffe://example.org/ns/shop/sa/{sub}', { client_id: 'web' }, []],
    ['spiffe://example.org/ns/shop/sa/{sub}', { sub: 7 }, []],
    ['spiffe://example.org/ns/shop/sa/{sub}', { sub: '' }, []],
    ['spiffe://example.org/ns/shop/sa/{sub}', { sub: 'a/b' }, []],
    ['spiffe://example.org/ns/shop/sa/{sub}', { sub: 'web?x' }, []],
    ['spiffe://example.org/ns/shop/sa/{sub}', { sub: '$&' }, []],
    ['spiffe://example.org/{constructor}', {}, []],
    ['{sub}', { sub: WEB }, [WEB]],
    ['{sub}', {}, []],
    ['{sub}', { sub: [WEB] }, []],
  ])('%s makes of %j %j', (template, claims, ids) => {
    expect(workloadTemplate(template)(claims)).toEqual(ids);
  });
});

describe('a table', () => {
  const rule = workloadTable('azp', { web: WEB, both: [WEB, `${WEB}-canary`] });

  test.each([
    [{ azp: 'web' }, [WEB]],
    [{ azp: 'both' }, [WEB, `${WEB}-canary`]],
    [{ azp: 'other' }, []],
    [{ azp: 'constructor' }, []],
    [{}, []],
    [{ azp: ['web'] }, []],
  ])('makes of %j %j', (claims, ids) => {
    expect(rule(claims)).toEqual(ids);
  });
});

describe('a token that names a workload', () => {
  test('passes of that workload alone; of another one it is told as stolen', async () => {
    const key = await TestKey.create('k1');
    const { verify } = await setUpWith([key], {
      workload: workloadTemplate('spiffe://example.org/ns/shop/sa/{client_id}'),
    });
    const token = await key.token({ client_id: 'web' });
    expect(await verify(token, { presenter: WEB })).toMatchObject({
      binding: 'spiffe',
      bindings: ['spiffe'],
    });
    const thief = await verify(token, { presenter: 'spiffe://example.org/ns/shop/sa/reporting' });
    expect(thief).toMatchObject({
      code: 'token_binding_mismatch',
      misuse: { token: { clientId: 'web' }, boundBy: 'spiffe', boundTo: WEB },
    });
    expect(await verify(token)).toEqual(refused('token_binding_mismatch'));
  });
});
