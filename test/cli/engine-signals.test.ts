import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { startRevocation, type RevocationPart } from '../../src/cli/engine/revocation.js';
import type { Config } from '../../src/config/schema.js';
import { localHub } from '../../src/feed/feed.js';
import { eventually } from '../e2e/eventually.js';
import { codeOf, frontend, token } from '../revocation/support.js';
import { freePort } from '../support/free-port.js';
import { jwks, TestKey } from '../token/support.js';

const IDP = 'https://idp.example.org';
const now = () => Date.now();

let folder: string;
let part: RevocationPart | undefined;
let lines: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-signals-'));
});
afterEach(async () => {
  await part?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(key: TestKey) {
  const port = await freePort();
  lines = [];
  await writeFile(join(folder, 'jwks.json'), jwks(key));
  await writeFile(join(folder, 'agreed'), 'agreed-upon\n');
  const config = {
    token: { issuers: [{ issuer: IDP, max_lifetime: 3_600_000, clock_skew: 0 }] },
    revocation: {
      max_entries: 100,
      persistence_directory: join(folder, 'kept'),
      signals: {
        listen: `127.0.0.1:${port}`,
        transmitters: [
          {
            issuer: IDP,
            audience: 'mesh',
            jwks: join(folder, 'jwks.json'),
            algorithms: ['ES256'],
            trust_domains: [],
            authorization_file: join(folder, 'agreed'),
          },
        ],
      },
    },
  } as unknown as Config;
  part = await startRevocation(config, {
    hub: localHub,
    log: pino({}, { write: (line) => void lines.push(line) }),
    now,
  });
  return (body: string, init: RequestInit & { path?: string } = {}) =>
    fetch(`http://127.0.0.1:${port}${init.path ?? '/events'}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/secevent+jwt', authorization: 'Bearer agreed-upon' },
      ...init,
    });
}

const revoked = (key: TestKey, claims: object = {}) =>
  key.token(
    {
      iss: IDP,
      aud: 'mesh',
      jti: 'set-1',
      iat: Math.floor(now() / 1000),
      exp: undefined,
      sub: undefined,
      client_id: undefined,
      sub_id: { format: 'iss_sub', iss: IDP, sub: 'alice' },
      events: {
        'https://schemas.openid.net/secevent/caep/event-type/session-revoked': {
          event_timestamp: Math.floor(now() / 1000),
        },
      },
      ...claims,
    },
    { typ: 'secevent+jwt' },
  );
const asked = (iat: number) => codeOf(part!.check!.token(token({ iat }), frontend, now()));

test('a session that its issuer ends is refused here once that is answered, and after a restart', async () => {
  const key = await TestKey.create('t1');
  const push = await start(key);
  const issued = Math.floor(now() / 1000) - 60;
  expect(asked(issued)).toBeUndefined();
  await eventually(() => (part!.checks()[`keys of the transmitter ${IDP}`]?.ok ? true : undefined));
  const answer = await push(await revoked(key));
  expect([answer.status, await answer.text()]).toEqual([202, '']);
  expect(asked(issued)).toBe('token_revoked');
  // Who logs in again is let in again.
  expect(asked(Math.floor(now() / 1000) + 2)).toBeUndefined();
  expect(part!.signals()).toEqual(new Map([['applied', 1]]));
  expect(lines.join('')).toContain('"result":"applied"');
  expect(lines.join('')).toMatch(/"audit":"revocation revoked","from":"127\.0\.0\.1 for https:\/\/idp/);
  await part!.stop();
  await start(key);
  expect(asked(issued)).toBe('token_revoked');
});

test('what is refused is told as RFC 8935 says, and no token is in the log', async () => {
  const key = await TestKey.create('t1');
  const push = await start(key);
  const bad = await revoked(key, { aud: 'other' });
  const answer = await push(bad);
  expect([answer.status, answer.headers.get('content-type'), await answer.json()]).toEqual([
    400,
    'application/json',
    { err: 'invalid_audience', description: 'aud does not name this receiver' },
  ]);
  expect((await push('x'.repeat(65_537))).status).toBe(400);
  expect((await push(await revoked(key), { path: '/' })).status).toBe(404);
  expect((await push('', { method: 'PUT' })).status).toBe(405);
  expect(lines.join('')).not.toContain(bad.split('.')[2]);
});
