import fc from 'fast-check';
import { covers, RevocationIndex } from '../../src/revocation/revocation-index.js';
import type { Revocation } from '../../src/revocation/types.js';
import { entry, frontend, NOW, ordersToken, SECONDS, token, workload } from './support.js';

function indexOf(...said: object[]): RevocationIndex {
  const index = new RevocationIndex();
  for (const one of said) index.add(entry(one));
  return index;
}
const refuses = (said: object, claims: object = {}, id = frontend.spiffeId) =>
  indexOf(said).ofToken(token({ ...claims }), workload(id), NOW) !== undefined;

describe('a token is refused by', () => {
  test.each([
    [{ jti: 't1' }, { jti: 't1' }, { jti: 't2' }],
    [{ session: 's1' }, { sid: 's1' }, { sid: 's2' }],
    [{ subject: 'alice' }, {}, { sub: 'bob' }],
    [{ client: 'vendor' }, { client_id: 'vendor' }, { client_id: 'frontend' }],
    [{ client: 'vendor' }, { azp: 'vendor' }, { azp: 'other' }],
    [{ issuer: ordersToken.issuer }, {}, { iss: `${ordersToken.issuer}/` }],
    [{ issuer: ordersToken.issuer, subject: 'alice' }, {}, { iss: 'https://other.example', sub: 'alice' }],
    [{ issuer: ordersToken.issuer, jti: 't1' }, { jti: 't1' }, { iss: 'https://other.example', jti: 't1' }],
    [{ subject: 'alice', session: 's1' }, { sid: 's1' }, { sid: 's1', sub: 'bob' }],
    [{ spiffe_id: 'spiffe://example.org/vendor' }, { sub: 'spiffe://example.org/vendor' }, { sub: 'vendor' }],
    [
      { spiffe_id: 'spiffe://example.org' },
      { sub: 'spiffe://example.org/a' },
      { sub: 'spiffe://example.org.evil/a' },
    ],
  ])('%j: one of %j, and not one of %j', (said, hit, miss) => {
    expect(refuses(said, hit)).toBe(true);
    expect(refuses(said, miss)).toBe(false);
  });

  test('the outermost actor in place of the subject, and no inner one', () => {
    const chain = { act: { sub: 'agent', act: { sub: 'history' } } };
    expect(refuses({ subject: 'agent' }, chain)).toBe(true);
    expect(refuses({ subject: 'history' }, chain)).toBe(false);
    expect(refuses({ issuer: ordersToken.issuer, subject: 'agent' }, chain)).toBe(true);
    const foreign = { act: { sub: 'agent', iss: 'https://vendor.example' }, jti: 't1' };
    expect(refuses({ issuer: ordersToken.issuer, subject: 'agent' }, foreign)).toBe(false);
    expect(refuses({ issuer: 'https://vendor.example' }, foreign)).toBe(true);
    expect(refuses({ issuer: 'https://vendor.example', jti: 't1' }, foreign)).toBe(false);
    expect(refuses({ spiffe_id: 'spiffe://v.example' }, { act: { sub: 'spiffe://v.example/a' } })).toBe(true);
  });

  test('the client that acts, where its actor is known as one', () => {
    const acting = { client_id: 'frontend', act: { client_id: 'agent', act: { client_id: 'history' } } };
    expect(refuses({ client: 'agent' }, acting)).toBe(true);
    expect(refuses({ client: 'frontend' }, acting)).toBe(true);
    expect(refuses({ client: 'history' }, acting)).toBe(false);
    expect(refuses({ client: 'agent', issuer: 'https://vendor.example' }, acting)).toBe(false);
    expect(refuses({ client: 'agent', subject: 'alice' }, acting)).toBe(false);
    expect(refuses({ client: 'agent', jti: 't1' }, { ...acting, jti: 't1' })).toBe(false);
  });

  test('one issued before a bound, or without saying when', () => {
    const said = { subject: 'alice', issued_before: SECONDS };
    expect(refuses(said, { iat: SECONDS - 0.001 })).toBe(true);
    expect(refuses(said, { iat: SECONDS })).toBe(false);
    const undated = { ...token() };
    delete (undated as { issuedAt?: number }).issuedAt;
    expect(indexOf(said).ofToken(undated, frontend, NOW)).toBeDefined();
  });

  test('a workload and a token together, where the entry names both', () => {
    const said = { spiffe_id: 'spiffe://example.org/vendor/*', client: 'c' };
    expect(refuses(said, { client_id: 'c' }, 'spiffe://example.org/vendor/a')).toBe(true);
    expect(refuses(said, { client_id: 'c' }, 'spiffe://example.org/other')).toBe(false);
    expect(refuses(said, { client_id: 'd' }, 'spiffe://example.org/vendor/a')).toBe(false);
    expect(indexOf(said).ofIdentity(workload('spiffe://example.org/vendor/a'), NOW)).toBeUndefined();
    const withIssuer = { spiffe_id: 'spiffe://example.org/vendor', issuer: ordersToken.issuer };
    expect(refuses(withIssuer, {}, 'spiffe://example.org/vendor')).toBe(true);
    expect(refuses(withIssuer, {}, 'spiffe://example.org/a')).toBe(false);
  });

  test('no entry that has expired', () => {
    const index = indexOf({ subject: 'alice', expires: SECONDS + 1 });
    expect(index.ofToken(token(), frontend, NOW + 999)).toBeDefined();
    expect(index.ofToken(token(), frontend, NOW + 1000)).toBeUndefined();
    expect(index.ofToken(token(), frontend, Number.NaN)).toBeDefined();
  });
});

describe('a workload is refused by', () => {
  test.each([
    [
      'spiffe://example.org/a/b',
      ['spiffe://example.org/a/b'],
      ['spiffe://example.org/a', 'spiffe://example.org/a/b/c'],
    ],
    [
      'spiffe://example.org/a/*',
      ['spiffe://example.org/a/b', 'spiffe://example.org/a/b/c'],
      ['spiffe://example.org/a', 'spiffe://example.org/ab'],
    ],
    ['spiffe://example.org/*', ['spiffe://example.org/a'], ['spiffe://example.org.x/a']],
    [
      'spiffe://example.org',
      ['spiffe://example.org/a'],
      ['spiffe://example.organic/a', 'spiffe://other.example/a'],
    ],
  ])('%s', (pattern, hits, misses) => {
    const index = indexOf({ spiffe_id: pattern });
    for (const id of hits)
      expect([id, index.ofIdentity(workload(id), NOW)?.spiffe_id]).toEqual([id, pattern]);
    for (const id of misses) expect([id, index.ofIdentity(workload(id), NOW)]).toEqual([id, undefined]);
  });
});

/** What an entry means, said plainly, without an index. */
function plainly(all: readonly Revocation[], tested: ReturnType<typeof token>, id: string): boolean {
  return all.some((one) => {
    const party = (issuer: string, subject: string) =>
      (one.issuer === undefined || one.issuer === issuer) &&
      (one.subject === undefined || one.subject === subject);
    const bare = !one.issuer && !one.subject && !one.client && !one.session && !one.jti;
    if (bare) return tested.subject.startsWith('spiffe://') && covers(one.spiffe_id!, tested.subject);
    return (
      party(tested.issuer, tested.subject) &&
      (one.client === undefined || one.client === tested.clientId) &&
      (one.session === undefined || one.session === tested.claims.sid) &&
      (one.jti === undefined || one.jti === tested.claims.jti) &&
      (one.spiffe_id === undefined || covers(one.spiffe_id, id))
    );
  });
}

const few = (...values: string[]) => fc.constantFrom(...values);
const ids = few('spiffe://d/a', 'spiffe://d/a/b', 'spiffe://e/a');
const anEntry = fc
  .record(
    {
      issuer: few('i', 'j'),
      subject: few('s', 't', 'spiffe://d/a'),
      client: few('c', 'd'),
      session: few('x', 'y'),
      jti: few('1', '2'),
      spiffe_id: few('spiffe://d', 'spiffe://d/a', 'spiffe://d/a/*', 'spiffe://e/*'),
    },
    { requiredKeys: [] },
  )
  .filter((said) => Object.keys(said).length > 0)
  .map((said) => entry(said));
const aToken = fc
  .record({
    iss: few('i', 'j', 'k'),
    sub: few('s', 't', 'u', 'spiffe://d/a', 'spiffe://d/a/b'),
    client_id: few('c', 'd', 'e'),
    sid: few('x', 'y', 'z'),
    jti: few('1', '2', '3'),
  })
  .map((claims) => token(claims));

test('the index says what the entries say, however they were put in and taken out', () => {
  fc.assert(
    fc.property(
      fc.array(anEntry, { maxLength: 12 }),
      fc.array(anEntry, { maxLength: 5 }),
      aToken,
      ids,
      (kept, gone, tested, id) => {
        const index = new RevocationIndex();
        for (const one of [...gone, ...kept]) index.add(one);
        for (const one of gone) index.remove(one);
        expect(index.size).toBe(kept.length);
        expect(index.ofToken(tested, workload(id), NOW) !== undefined).toBe(plainly(kept, tested, id));
        const shut = kept.some(
          (one) =>
            !one.issuer &&
            !one.subject &&
            !one.client &&
            !one.session &&
            !one.jti &&
            covers(one.spiffe_id!, id),
        );
        expect(index.ofIdentity(workload(id), NOW) !== undefined).toBe(shut);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('who was found clear is looked up anew after each change, and for another workload', () => {
  const index = indexOf({ subject: 'bob' }, { spiffe_id: 'spiffe://example.org/other' });
  const remembered = token();
  const refuses = (id = frontend) => [
    index.ofIdentity(id, NOW) !== undefined,
    index.ofToken(remembered, id, NOW) !== undefined,
  ];
  for (let round = 0; round < 3; round++) {
    expect([refuses(), refuses()]).toEqual([
      [false, false],
      [false, false],
    ]);
    const added = [
      entry({ subject: 'alice', spiffe_id: frontend.spiffeId }),
      entry({ spiffe_id: 'spiffe://example.org/*' }),
    ];
    index.add(added[0]!);
    expect(refuses()).toEqual([false, true]);
    expect(refuses(workload('spiffe://example.org/third'))).toEqual([false, false]);
    expect(refuses()).toEqual([false, true]);
    index.add(added[1]!);
    expect(refuses()).toEqual([true, true]);
    for (const one of added) index.remove(one);
  }
});
