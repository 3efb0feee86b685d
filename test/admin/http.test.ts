import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { startAdmin, type AdminServer, type Readiness } from '../../src/admin/http.js';

let readiness: Readiness;
let metricsText: () => Promise<string>;
let admin: AdminServer;

beforeAll(async () => {
  admin = await startAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: { text: () => metricsText(), contentType: 'text/plain; version=0.0.4; charset=utf-8' },
    readiness: () => readiness,
  });
});
beforeEach(() => {
  readiness = { ready: true, checks: { serving: { ok: true } } };
  metricsText = async () => 'a_metric 1\n';
});
afterAll(() => admin.close());

/** What is answered to these bytes, on a connection of their own. */
async function raw(bytes: string): Promise<string> {
  const [host, port] = admin.address.split(':');
  const socket = connect(Number(port), host);
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk));
  socket.on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}

const get = (path: string, init?: RequestInit) => fetch(`http://${admin.address}${path}`, init);

describe("the operator's HTTP", () => {
  test('/livez says that the process runs, whatever else is wrong', async () => {
    readiness = { ready: false, checks: {} };
    const answer = await get('/livez');
    expect([answer.status, await answer.text()]).toEqual([200, 'ok\n']);
    expect(answer.headers.get('content-type')).toBe('text/plain');
  });

  test('/readyz says whether it is ready, and each thing that this depends on', async () => {
    expect((await get('/readyz')).status).toBe(200);
    readiness = { ready: false, checks: { serving: { ok: false, detail: 'shutting down' } } };
    const answer = await get('/readyz?verbose');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.json()).toEqual(readiness);
  });

  test('/metrics is what Prometheus scrapes', async () => {
    const answer = await get('/metrics');
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await answer.text()).toBe('a_metric 1\n');
  });

  test('/readyz names every check, with what is wrong with it', async () => {
    readiness = {
      ready: true,
      checks: {
        policy: { ok: true, detail: 'revision r1' },
        'trust bundle of example.org': { ok: true },
        'keys of https://idp.example.org': { ok: false, detail: 'fetch failed' },
      },
    };
    const answer = await get('/readyz');
    // Keys that are late keep nobody else out: they are told, and do not make the server unready.
    expect([answer.status, await answer.json()]).toEqual([200, readiness]);
  });

  test.each([
    ['/livez', 200],
    ['/readyz', 503],
    ['/nothing', 404],
  ])('HEAD %s is a %i without a body', async (path, status) => {
    readiness = { ready: false, checks: {} };
    const answer = await get(path, { method: 'HEAD' });
    expect([answer.status, await answer.text()]).toEqual([status, '']);
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(0);
  });

  test('HEAD is answered like GET, without the body', async () => {
    const answer = await get('/metrics', { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([
      200,
      '11',
      '',
    ]);
  });

  test('what is not there says what is, and other methods are refused', async () => {
    const missing = await get('/');
    expect(missing.status).toBe(404);
    expect(await missing.json()).toEqual({ error: 'not_found', paths: ['/livez', '/readyz', '/metrics'] });
    const posted = await get('/metrics', { method: 'POST', body: 'x' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    for (const name of ['constructor', '__proto__']) expect((await get(`/${name}`)).status).toBe(404);
  });

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('%s is refused on every path', async (method) => {
    for (const path of ['/livez', '/readyz', '/metrics']) {
      const answer = await get(path, { method });
      expect([answer.status, await answer.json()]).toEqual([405, { error: 'method_not_allowed' }]);
    }
    expect((await get('/nothing', { method })).status).toBe(404);
  });

  test.each(['/livez/', '/LIVEZ', '//livez', '/livez%20', '/metrics/..%2flivez', '/debug/pprof'])(
    '%s is not there',
    async (path) => {
      const answer = await raw(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 404 /);
      // Nothing of the request stands in the answer.
      expect(answer).not.toContain('pprof');
    },
  );

  test('what is no HTTP, and headers without end, end the connection', async () => {
    expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    const long = await raw(`GET /livez HTTP/1.1\r\nhost: x\r\nx-long: ${'a'.repeat(10_000)}\r\n\r\n`);
    expect(long).toMatch(/^HTTP\/1\.1 431 /);
    expect((await get('/livez')).status).toBe(200);
  });

  test('closing ends connections that are kept alive, and frees the address', async () => {
    const options = { metrics: { text: metricsText, contentType: 'text/plain' }, readiness: () => readiness };
    const first = await startAdmin({ host: '127.0.0.1', port: 0, ...options });
    const port = Number(first.address.split(':')[1]);
    const idle = connect(port, '127.0.0.1');
    await once(idle, 'connect');
    idle.on('error', () => undefined);
    const ended = once(idle, 'close');
    await first.close();
    await ended;
    const second = await startAdmin({ host: '127.0.0.1', port, ...options });
    expect(second.address).toBe(`127.0.0.1:${port}`);
    await second.close();
  });

  test('an IPv6 address is written with brackets', async () => {
    const options = { metrics: { text: metricsText, contentType: 'text/plain' }, readiness: () => readiness };
    const server = await startAdmin({ host: '::1', port: 0, ...options }).catch((error: Error) => error);
    if (server instanceof Error) {
      expect(server.message).toMatch(/^listen\.admin: cannot listen on \[::1\]:0: /);
      return;
    }
    expect(server.address).toMatch(/^\[::1\]:\d+$/);
    expect((await fetch(`http://${server.address}/livez`)).status).toBe(200);
    await server.close();
  });

  test('a failure is an answer and tells nothing', async () => {
    metricsText = () => Promise.reject(new Error('s3cret'));
    const answer = await get('/metrics');
    expect([answer.status, await answer.json()]).toEqual([500, { error: 'internal_error' }]);
    readiness = undefined as never;
    expect((await get('/readyz')).status).toBe(500);
  });

  test('an address that is taken is an error that names the setting', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    const options = { host: '127.0.0.1', port, metrics: { text: metricsText, contentType: '' } };
    await expect(startAdmin({ ...options, readiness: () => readiness })).rejects.toThrow(
      `listen.admin: cannot listen on 127.0.0.1:${port}`,
    );
    other.close();
  });
});
