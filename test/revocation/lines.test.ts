import { readEntryLines } from '../../src/revocation/lines.js';
import { NOW, SECONDS } from './support.js';

const read = (text: string, maxEntries = 100) =>
  readEntryLines(text, 'r.jsonl', { source: 'file', now: NOW, maxEntries });

describe('a list with one entry a line', () => {
  test('may have comments and empty lines', async () => {
    const entries = await read('# shut off\n\n{"issuer":"https://a"}\r\n  # x\n{"subject":"s"}');
    expect([...entries.values()].map(({ issuer, subject, source }) => [issuer, subject, source])).toEqual([
      ['https://a', undefined, 'file'],
      [undefined, 's', 'file'],
    ]);
  });

  test('names file, line, member and mend of what is wrong, and quotes no value', async () => {
    const error = (await read('{"subject":"s"}\n{"subjec":"s3cret"}\n{"expires":1,\n{}').catch(
      (e) => e,
    )) as Error;
    expect(error.message.split('\n')).toEqual([
      expect.stringMatching(/^r\.jsonl:2: subjec: is no member of an entry; use issuer, /),
      'r.jsonl:3: is not JSON; write one entry on a line, as {"subject":"alice"}',
      expect.stringMatching(/^r\.jsonl:4: the entry: names nothing to refuse; give some of issuer/),
    ]);
    expect(error.message).not.toContain('s3cret');
  });

  test('refuses a member that is there twice', async () => {
    await expect(read('{"subject":"a","subject":"b"}')).rejects.toThrow('r.jsonl:1: is not JSON');
  });

  test('is refused as a whole when it is longer than is kept', async () => {
    const text = Array.from({ length: 101 }, (_, i) => `{"jti":"${i}"}`).join('\n');
    await expect(read(text)).rejects.toThrow(
      'r.jsonl:101: more than 100 entries; raise revocation.max_entries',
    );
  });

  test('makes one entry of what it says twice', async () => {
    const entries = await read(
      `{"subject":"a","issued_before":${SECONDS},"expires":${SECONDS + 9}}\n{"subject":"a","issued_before":${SECONDS + 5},"expires":${SECONDS + 7}}`,
    );
    expect([...entries.values()]).toMatchObject([{ issued_before: SECONDS + 5, expires: SECONDS + 9 }]);
  });

  test('of many thousand lines lets others work between them', async () => {
    let turns = 0;
    const turning = setInterval(() => turns++, 0);
    const text = Array.from({ length: 50_000 }, (_, i) => `{"jti":"${i}"}`).join('\n');
    expect((await read(text, 50_000)).size).toBe(50_000);
    clearInterval(turning);
    expect(turns).toBeGreaterThan(5);
  });
});
