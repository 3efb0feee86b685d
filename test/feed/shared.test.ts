import { localHub, type Feed } from '../../src/feed/feed.js';
import { shareFeeds } from '../../src/feed/shared.js';
import { createKeySource } from '../../src/token/key-source.js';

describe('feeds that are shared', () => {
  test('are one for each name', () => {
    let made = 0;
    const make = () => ({ made: ++made }) as unknown as Feed<string>;
    const hub = shareFeeds(localHub);
    const first = hub.feed('a', make);
    expect(hub.feed('a', make)).toBe(first);
    expect(hub.feed('b', make)).not.toBe(first);
    expect(made).toBe(2);
  });

  test('let issuers with one JWKS URL fetch it once, and only those', async () => {
    const asked: string[] = [];
    const hub = shareFeeds(localHub);
    const keys = (issuer: string, location: string, refresh = 300_000) =>
      createKeySource({
        issuer,
        location,
        refresh,
        cooldown: 30_000,
        maxStale: 3_600_000,
        fetch: async (url) => {
          asked.push(String(url));
          return new Response('{"keys":[]}');
        },
        readFile: () => Promise.reject(new Error('no file is read')),
        now: () => 0,
        hub,
      });
    const sources = [
      keys('https://a.example.org', 'https://login.example.org/keys'),
      keys('https://b.example.org', 'https://login.example.org/keys'),
      keys('https://c.example.org', 'https://login.example.org/keys', 60_000),
      keys('https://d.example.org', 'https://login.example.org/other'),
    ];
    await Promise.all(sources.map((source) => source.start()));
    expect(sources.map((source) => source.status().stale)).toEqual([false, false, false, false]);
    expect(asked.sort()).toEqual([
      'https://login.example.org/keys',
      'https://login.example.org/keys',
      'https://login.example.org/other',
    ]);
    for (const source of sources) source.stop();
  });
});
