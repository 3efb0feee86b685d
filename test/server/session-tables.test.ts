import { connect, createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { leaveNoTrail, PendingStreams, StreamTable } from '../../src/server/session-tables.js';
import { Random } from '../support/random.js';

type Stream = { readonly id: number };

describe('a table of streams', () => {
  test.each([1, 2, 3, 4, 5])('is what a Map is, whatever is done with it (seed %d)', (seed) => {
    const random = new Random(seed);
    const table = new StreamTable<Stream>();
    const map = new Map<number, Stream>();
    let newest = -1;
    for (let n = 0; n < 20_000; n++) {
      const open = [...map.keys()];
      // Few streams for a while, then many, then few: it grows, and wraps round.
      const wanted = n % 5_000 < 2_500 ? 10 : 500;
      if (open.length < random.below(wanted)) {
        const stream = { id: (newest += 2) };
        table.set(stream.id, stream);
        map.set(stream.id, stream);
      } else if (open.length > 0) {
        const id = random.of(open);
        expect(table.delete(id)).toBe(map.delete(id));
        expect(table.has(id)).toBe(false);
        expect(table.delete(id)).toBe(false);
      }
      if (n % 97 !== 0) continue;
      expect(table.size).toBe(map.size);
      expect(new Map(table)).toEqual(map);
      for (const id of [...map.keys(), newest + 2]) expect(table.get(id)).toBe(map.get(id));
    }
  });

  test('keeps streams of both sides, and one id but once', () => {
    const table = new StreamTable<Stream>();
    for (const id of [1, 2, 3, 129, 131, 2]) table.set(id, { id });
    expect([...table.keys()].sort((a, b) => a - b)).toEqual([1, 2, 3, 129, 131]);
    expect([...table.values()].map(({ id }) => id).sort((a, b) => a - b)).toEqual([1, 2, 3, 129, 131]);
    table.clear();
    expect([table.size, table.get(1), table.has(2), [...table]]).toEqual([0, undefined, false, []]);
  });

  test('shows each one once, and none that was deleted meanwhile', () => {
    const table = new StreamTable<Stream>();
    for (let id = 1; id < 200; id += 2) table.set(id, { id });
    const shown: number[] = [];
    table.forEach((stream, id, all) => {
      expect([stream.id, all]).toEqual([id, table]);
      shown.push(id);
      table.delete(id);
      table.delete(((id + 98) % 200) | 1);
    });
    expect(new Set(shown).size).toBe(shown.length);
    expect(shown.length).toBeGreaterThanOrEqual(50);
    expect(table.size).toBe(0);
  });
});

test('streams that have no id yet are a Set', () => {
  const [a, b, c] = [{}, {}, {}];
  const set = new PendingStreams<object>();
  set.add(a!).add(b!).add(c!).add(a!);
  expect(set.size).toBe(3);
  expect([set.delete(a!), set.delete(a!), set.has(a!), set.has(b!), set.has(c!)]).toEqual([
    true,
    false,
    false,
    true,
    true,
  ]);
  const shown: object[] = [];
  set.forEach((one) => {
    shown.push(one);
    set.clear();
  });
  expect([shown.length, [...set], [...set.keys()], [...set.entries()]]).toEqual([1, [], [], []]);
});

describe('a session of node:http2', () => {
  const tablesOf = (session: object) => {
    const state = Object.getOwnPropertySymbols(session).find(({ description }) => description === 'state')!;
    return (session as Record<symbol, { streams: unknown; pendingStreams: unknown }>)[state]!;
  };

  test('keeps its streams there, and lets each one go', async () => {
    const server = createServer();
    const sessions: ServerHttp2Session[] = [];
    server.on('session', (session) => {
      leaveNoTrail(session);
      sessions.push(session);
    });
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('here');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const ask = () =>
      new Promise<void>((resolve, reject) => {
        const stream = client.request({ ':path': '/' });
        stream.on('error', reject).on('end', resolve).resume();
      });
    await Promise.all(Array.from({ length: 200 }, ask));
    const { streams, pendingStreams } = tablesOf(sessions[0]!);
    // Where this fails, this Node keeps its streams elsewhere: each request costs more there.
    expect(streams).toBeInstanceOf(StreamTable);
    expect(pendingStreams).toBeInstanceOf(PendingStreams);
    client.close();
    await new Promise((resolve) => sessions[0]!.once('close', resolve));
    expect((streams as StreamTable<object>).size).toBe(0);
    expect((pendingStreams as PendingStreams<object>).size).toBe(0);
    await new Promise((resolve) => server.close(resolve));
  });

  test('that is something else, or has streams already, is left as it is', () => {
    const streams = new Map([[1, {}]]);
    const busy = { [Symbol('state')]: { streams, pendingStreams: [] } };
    leaveNoTrail(busy as unknown as ServerHttp2Session);
    expect(tablesOf(busy)).toEqual({ streams, pendingStreams: [] });
    expect(() => leaveNoTrail({} as ServerHttp2Session)).not.toThrow();
    expect(() => leaveNoTrail({ [Symbol('state')]: 7 } as unknown as ServerHttp2Session)).not.toThrow();
  });
});
