import fc from 'fast-check';
import { RevocationBook, shardOf, SHARDS } from '../../src/revocation/book.js';
import { createRevocationCheck, type RevocationStatus } from '../../src/revocation/check.js';
import { createCell } from '../../src/feed/cell.js';
import { pipeline, facts } from '../decision/fakes.js';
import type { Decision } from '../../src/decision/decision.js';
import { codeOf, entry, frontend, listOf, NOW, ordersToken, token } from './support.js';

describe('the list in a worker', () => {
  test('follows what is put in, changed and taken out', () => {
    const { book, check } = listOf();
    expect(check.token(token(), frontend, NOW)).toBeUndefined();
    const alice = entry({ subject: 'alice', reason: 'left us' });
    book.put('said', alice);
    book.publish();
    expect(check.token(token(), frontend, NOW)).toEqual({
      refused: true,
      code: 'token_revoked',
      detail: `revoked by entry ${alice.id}: left us`,
    });
    book.put('file', { ...alice, source: 'file' });
    book.remove('said', alice.id);
    book.publish();
    expect(codeOf(check.token(token(), frontend, NOW))).toBe('token_revoked');
    book.remove('file', alice.id);
    book.publish();
    expect(check.token(token(), frontend, NOW)).toBeUndefined();
  });

  test('holds after any changes what the book holds, and moves only the parts that changed', () => {
    const change = fc.record({
      op: fc.constantFrom('put', 'remove', 'publish'),
      layer: fc.constantFrom('file' as const, 'said' as const),
      name: fc.integer({ min: 0, max: 30 }),
      expires: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const { book, check } = listOf();
        const at = (name: number, expires?: number) =>
          entry({ subject: `u${name}`, ...(expires && { expires: NOW / 1000 + expires }) });
        for (const { op, layer, name, expires } of changes) {
          if (op === 'put')
            book.put(layer, { ...at(name, expires), source: layer === 'file' ? 'file' : 'admin' });
          else if (op === 'remove') book.remove(layer, at(name).id);
          else book.publish();
        }
        book.publish();
        for (let name = 0; name <= 30; name++) {
          const { id } = at(name);
          const there = book.get('file', id) ?? book.get('said', id);
          expect(check.token(token({ sub: `u${name}` }), frontend, NOW) !== undefined).toBe(
            there !== undefined,
          );
        }
      }),
    );
    const { book } = listOf(entry({ subject: 'a' }));
    const seen: number[] = [];
    book.shards.forEach((shard, number) => shard.onChange(() => seen.push(number)));
    const added = entry({ subject: 'b' });
    book.put('said', added);
    book.publish();
    book.put('said', { ...added });
    book.publish();
    expect(seen).toEqual([shardOf(added.id)]);
  });

  test('spreads entries over all its parts', () => {
    const parts = new Set(Array.from({ length: 5_000 }, (_, i) => shardOf(entry({ subject: `${i}` }).id)));
    expect([parts.size, Math.min(...parts), Math.max(...parts)]).toEqual([SHARDS, 0, SHARDS - 1]);
  });

  test('forgets what has expired, and nothing else', () => {
    const { book } = listOf(entry({ subject: 'a', expires: NOW / 1000 + 1 }), entry({ subject: 'b' }));
    book.sweep(NOW + 999);
    expect(book.size).toBe(2);
    book.sweep(NOW + 1000);
    expect([...book.entries('said')].map(({ subject }) => subject)).toEqual(['b']);
  });
});

describe('nothing is let in', () => {
  test('before every part of the list is here', () => {
    const book = new RevocationBook();
    const status = createCell<RevocationStatus>();
    const check = createRevocationCheck({ shards: book.shards, status, maxStale: 1000 });
    const asked = () => codeOf(check.identity(frontend, NOW));
    expect(asked()).toBe('revocation_unavailable');
    status.set({ loaded: true, entries: 0 });
    expect(asked()).toBe('revocation_unavailable');
    for (const shard of book.shards.slice(1)) shard.set([]);
    expect(asked()).toBe('revocation_unavailable');
    book.shards[0]!.set([]);
    expect(asked()).toBeUndefined();
    status.set({ loaded: false, entries: 0 });
    expect(asked()).toBe('revocation_unavailable');
  });

  test('when the store has not answered for longer than it may, and again once it does', () => {
    const { status, check } = listOf();
    status.set({ loaded: true, entries: 0, unreachableSince: NOW });
    expect(check.identity(frontend, NOW + 60_000)).toBeUndefined();
    expect(codeOf(check.identity(frontend, NOW + 60_001))).toBe('revocation_unavailable');
    expect(codeOf(check.identity(frontend, Number.NaN))).toBe('revocation_unavailable');
    status.set({ loaded: true, entries: 0 });
    expect(check.identity(frontend, NOW + 60_001)).toBeUndefined();
  });
});

describe('in the pipeline', () => {
  const decide = (said: object, overrides = {}) => {
    const { check } = listOf(entry(said));
    return pipeline({ revocations: check }).decide(facts(overrides), { deadline: Infinity }) as Decision;
  };

  test('a revoked token is a 401 with a challenge, and the log knows whose it was', () => {
    const decision = decide({ issuer: ordersToken.issuer });
    expect(decision).toMatchObject({
      outcome: 'deny',
      reason: 'token_revoked',
      identity: { spiffeId: frontend.spiffeId },
      token: { subject: 'alice' },
      answer: { allowed: false, grpcStatus: 16, httpStatus: 401 },
    });
    expect(decision.policy).toBeUndefined();
    const { headers } = decision.answer as { headers: readonly (readonly [string, string])[] };
    expect(headers).toContainEqual(['www-authenticate', 'Bearer realm="countersign", error="invalid_token"']);
  });

  test('a revoked workload is a 403, with or without a token, on TCP as well', () => {
    for (const overrides of [{}, { authorization: [] }]) {
      expect(decide({ spiffe_id: frontend.spiffeId }, overrides)).toMatchObject({
        reason: 'identity_revoked',
        identity: { spiffeId: frontend.spiffeId },
        answer: { httpStatus: 403, grpcStatus: 16 },
      });
    }
    const tcp = { ...facts() };
    delete (tcp as { http?: unknown }).http;
    const { check } = listOf(entry({ spiffe_id: 'spiffe://example.org' }));
    expect(pipeline({ revocations: check }).decide(tcp, { deadline: Infinity })).toMatchObject({
      reason: 'identity_revoked',
    });
  });

  test('a list that cannot be had is a 503 without a challenge', () => {
    const { check, status } = listOf();
    status.set({ loaded: false, entries: 0 });
    expect(pipeline({ revocations: check }).decide(facts(), { deadline: Infinity })).toMatchObject({
      reason: 'revocation_unavailable',
      answer: { httpStatus: 503, grpcStatus: 14 },
    });
  });

  test('who is on no list goes on to the policy', () => {
    expect(decide({ subject: 'bob' })).toMatchObject({ outcome: 'allow', reason: 'allowed' });
  });
});
