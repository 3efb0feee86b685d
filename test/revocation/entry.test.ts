import fc from 'fast-check';
import { isEntryFault, mergeEntries, readEntry } from '../../src/revocation/entry.js';
import { RevocationIndex } from '../../src/revocation/revocation-index.js';
import { entry, frontend, NOW, SECONDS, token } from './support.js';

const read = (value: unknown, longestLife?: (issuer: string | undefined) => number) =>
  readEntry(value, { source: 'admin', now: NOW, ...(longestLife && { longestLife }) });

describe('an entry', () => {
  test('has an id that is made of what it refuses, and of nothing else', () => {
    const one = entry({ issuer: 'https://a', subject: 'x', reason: 'one', expires: SECONDS + 10 });
    expect(entry({ subject: 'x', issuer: 'https://a', by: 'ops' }).id).toBe(one.id);
    expect(one.id).toMatch(/^[\w-]{22}$/);
    const others = [
      { issuer: 'https://a' },
      { subject: 'x' },
      { issuer: 'x', subject: 'https://a' },
      { issuer: 'https://a', subject: 'x', issued_before: 1 },
      { issuer: 'https://a', client: 'x' },
    ].map((said) => entry(said).id);
    expect(new Set([one.id, ...others]).size).toBe(6);
  });

  test.each([
    [42, '', /JSON object/],
    [[], '', /JSON object/],
    [{}, '', /nothing to refuse/],
    [{ reason: 'only' }, '', /nothing to refuse/],
    [{ subjet: 'alice' }, 'subjet', /no member/],
    [{ subject: '' }, 'subject', /empty/],
    [{ subject: 7 }, 'subject', /not text/],
    [{ subject: 'a\u0000b' }, 'subject', /control/],
    [{ subject: 'a'.repeat(2049) }, 'subject', /too long/],
    [{ spiffe_id: 'https://example.org' }, 'spiffe_id', /not a SPIFFE ID/],
    [{ spiffe_id: 'spiffe://example.org/ns/*/a' }, 'spiffe_id', /not a SPIFFE ID/],
    [{ spiffe_id: 'spiffe://example.org/a', issued_before: 1 }, 'issued_before', /about tokens/],
    [{ subject: 'a', expires: 'tomorrow' }, 'expires', /not a time/],
    [{ subject: 'a', expires: '2030-01-01T00:00:00' }, 'expires', /not a time/],
    [{ subject: 'a', expires: '2030-13-01T00:00:00Z' }, 'expires', /not a time/],
    [{ subject: 'a', expires: -1 }, 'expires', /not a time/],
    [{ subject: 'a', issued_before: Number.NaN }, 'issued_before', /not a time/],
    [{ subject: 'a', issued_before: NOW }, 'issued_before', /not a time/],
    [JSON.parse('{"subject":"a","__proto__":{"jti":"x"}}'), '__proto__', /no member/],
  ])('%j is refused, with the member and the mend', (value, key, wrong) => {
    const outcome = read(value);
    expect(outcome).toMatchObject({ key, wrong: expect.stringMatching(wrong) });
    expect((outcome as { mend: string }).mend).not.toBe('');
  });

  test('that is about issued tokens alone ends with the last of them', () => {
    const hour = () => 3_600_000;
    expect(read({ jti: 'x' }, hour)).toMatchObject({ expires: SECONDS + 3600 });
    expect(read({ subject: 'x', issued_before: SECONDS + 60 }, hour)).toMatchObject({
      expires: SECONDS + 3660,
    });
    expect(read({ subject: 'x' }, hour)).not.toHaveProperty('expires');
    expect(read({ jti: 'x', expires: SECONDS + 1 }, hour)).toMatchObject({ expires: SECONDS + 1 });
  });

  test('takes times with their zone', () => {
    expect(entry({ jti: 'x', expires: '2030-01-01T01:00:00.5+01:00' }).expires).toBe(SECONDS + 0.5);
  });

  test('never throws, whatever it is made of', () => {
    fc.assert(
      fc.property(
        fc.anything(),
        fc.dictionary(fc.constantFrom('issuer', 'spiffe_id', 'expires'), fc.anything()),
        (a, b) => {
          for (const value of [a, b]) {
            const outcome = read(value);
            expect(isEntryFault(outcome) || outcome.id.length === 22).toBe(true);
          }
        },
      ),
    );
  });
});

const moment = fc.integer({ min: -100, max: 100 }).map((offset) => SECONDS + offset);

test('two entries of one id, merged, refuse all that either does', () => {
  const said = fc.record({ issued_before: moment, expires: moment }, { requiredKeys: [] });
  fc.assert(
    fc.property(said, said, moment, moment, (a, b, iat, now) => {
      const both = [entry({ subject: 'alice', ...a }), entry({ subject: 'alice', ...b })] as const;
      if (both[0].id !== both[1].id) return;
      const refuses = (one: (typeof both)[0]) => {
        const index = new RevocationIndex();
        index.add(one);
        return index.ofToken(token({ iat }), frontend, now * 1000) !== undefined;
      };
      const merged = mergeEntries(both[0], both[1]);
      expect(merged.id).toBe(both[0].id);
      if (both.some(refuses)) expect(refuses(merged)).toBe(true);
      expect(mergeEntries(merged, both[0])).toEqual({ ...merged });
    }),
  );
});
