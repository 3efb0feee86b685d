import { connect } from 'node:net';
import type { ProtectedRequest } from '../../src/admin/protected.js';
import { startAdmin, type AdminServer } from '../../src/admin/http.js';

const SECRET = 'a'.repeat(32);
let server: AdminServer;
let secret: (() => Promise<string>) | undefined;
let seen: ProtectedRequest[];
beforeEach(async () => {
  seen = [];
  secret = async () => SECRET;
  server = await startAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: { text: async () => '', contentType: 'text/plain' },
    readiness: () => ({ ready: true, checks: {} }),
    protectedRoutes: [
      {
        path: '/things',
        async handle(request) {
          seen.push(request);
          if (request.id === 'broken') throw new Error('s3cret');
          return { status: 200, body: { done: true } };
        },
      },
    ],
    secret: secret && (() => secret!()),
  });
});
afterEach(() => server.close());

const ask = (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
  fetch(`http://${server.address}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${SECRET}`, ...init.headers },
  });

describe('what takes a secret', () => {
  test('gets the request once the secret was shown', async () => {
    const answer = await ask('/things/a%2Fb?limit=2', {
      method: 'POST',
      body: '{"x":1}',
      headers: { 'content-type': 'application/json; charset=utf-8' },
    });
    expect([answer.status, await answer.json()]).toEqual([200, { done: true }]);
    expect(seen).toMatchObject([{ method: 'POST', id: 'a/b', body: '{"x":1}', from: '127.0.0.1' }]);
    expect(seen[0]!.query.get('limit')).toBe('2');
  });

  test.each([
    ['none', ''],
    ['another one', `Bearer ${'b'.repeat(32)}`],
    ['a part of it', `Bearer ${SECRET.slice(1)}`],
    ['more than it', `Bearer ${SECRET}a`],
    ['it in another scheme', `Basic ${SECRET}`],
  ])('is shut for who shows %s', async (_, authorization) => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await ask('/things', { method, headers: { authorization } });
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
        401,
        'Bearer realm="countersign admin"',
      ]);
      expect(await answer.text()).not.toContain(SECRET);
    }
    expect(seen).toEqual([]);
  });

  test('takes JSON alone, which no foreign page can send without asking', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
      const answer = await ask('/things', { method: 'POST', body: '{}', headers: { 'content-type': type } });
      expect(answer.status).toBe(415);
    }
    expect(seen).toEqual([]);
  });

  test('takes no more than a megabyte', async () => {
    const body = 'x'.repeat(1024 * 1024 + 1);
    const answer = await ask('/things', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.status).toBe(413);
    expect(seen).toEqual([]);
  });

  test('is read anew each time, and shut while it cannot be read', async () => {
    secret = async () => 'c'.repeat(32);
    expect((await ask('/things')).status).toBe(401);
    secret = async () => Promise.reject(new Error('/run/secret cannot be read (ENOENT)'));
    const answer = await ask('/things');
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('ENOENT')]);
  });

  test('tells nothing of a defect', async () => {
    const answer = await ask('/things/broken');
    expect([answer.status, await answer.text()]).toEqual([500, '{"error":"internal_error"}\n']);
    expect((await ask('/things/%ff')).status).toBe(400);
  });

  test('does not shadow a path that only begins alike', async () => {
    expect((await ask('/thingsandmore')).status).toBe(404);
    expect((await ask('/livez')).status).toBe(200);
  });

  test('lives on after a client that goes away in mid-sentence', async () => {
    const [host, port] = server.address.split(':');
    const socket = connect(Number(port), host);
    socket.write(
      `POST /things HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${SECRET}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    expect((await ask('/things')).status).toBe(200);
  });
});

test('where no secret is configured, everything that takes one is shut', async () => {
  const shut = await startAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: { text: async () => '', contentType: 'text/plain' },
    readiness: () => ({ ready: true, checks: {} }),
    protectedRoutes: [{ path: '/things', handle: async () => ({ status: 200, body: {} }) }],
  });
  const answer = await fetch(`http://${shut.address}/things`, {
    headers: { authorization: 'Bearer undefined' },
  });
  expect([answer.status, await answer.json()]).toEqual([
    403,
    { error: 'off', mend: 'set listen.admin_token_file, and restart' },
  ]);
  await shut.close();
});
