import { createServer } from 'node:net';
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

const get = (path: string, init?: RequestInit) => fetch(`http://${admin.address}${path}`, init);

describe("the operator's HTTP", () => {
  test('/livez says that the process runs, whatever else is wrong', async () => {
    readiness = { ready: false, checks: {} };
    const answer = await get('/livez');
    expect([answer.status, await answer.text()]).toEqual([200, 'ok\n']);
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

  test('a failure is an answer and tells nothing', async () => {
    metricsText = () => Promise.reject(new Error('s3cret'));
    const answer = await get('/metrics');
    expect([answer.status, await answer.json()]).toEqual([500, { error: 'internal_error' }]);
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
