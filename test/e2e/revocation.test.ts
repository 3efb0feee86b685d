import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Envoy } from '../../src/demo/envoy.js';
import type { Svid } from '../../src/demo/trust-domain.js';
import { runCli } from '../cli/run-cli.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { http1, tcp } from './client.js';
import type { EngineProcess } from './engine.js';
import { eventually } from './eventually.js';
import { type Mesh, startMesh } from './mesh.js';

describeEnvoy('what is taken back from two workers, through a real Envoy', () => {
  let mesh: Mesh;
  let engine: EngineProcess;
  let envoy: Envoy;
  let token: string;
  const secretFile = () => join(mesh.folder, 'secret');

  const start = (grpc = '127.0.0.1:0') =>
    mesh.engine({
      grpc,
      listen: 'admin_token_file: ./secret',
      more: 'workers: 2\nrevocation: { persistence_directory: ./kept }\n',
    });

  beforeAll(async () => {
    mesh = await startMesh();
    await writeFile(secretFile(), 's'.repeat(40));
    engine = await start();
    envoy = await mesh.envoy(engine.grpc);
    token = await mesh.issuer.mint({ scope: 'orders:read', sid: 'session-1' });
  }, 120_000);
  afterAll(() => mesh?.close());

  const request = (workload: Svid) => ({
    ...mesh.as(workload, envoy),
    path: '/orders/7',
    headers: { authorization: `Bearer ${token}` },
  });
  const asked = async (workload = mesh.frontend) => {
    const { status, body } = await http1(request(workload));
    return status === 200 ? [200, 'allowed'] : [status, (JSON.parse(body) as { reason: string }).reason];
  };
  const within = async (milliseconds: number, status: number, reason: string) => {
    const started = Date.now();
    await eventually(async () => ((await asked()).join() === `${status},${reason}` ? true : undefined));
    expect(Date.now() - started).toBeLessThan(milliseconds);
  };
  const revoke = async (...args: string[]) => {
    const outcome = await runCli([
      'revoke',
      '--admin',
      `http://${engine.admin}`,
      '--token-file',
      secretFile(),
      ...args,
    ]);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    return outcome.stdout;
  };
  const idIn = (text: string) => /--lift (\S+)/.exec(text)![1]!;

  test.each([
    ['session', 'session-1', 401, 'token_revoked'],
    ['subject', 'frontend', 401, 'token_revoked'],
    ['issuer', '', 401, 'token_revoked'],
    ['spiffe-id', 'spiffe://example.org/ns/shop/*', 403, 'identity_revoked'],
  ])(
    'one command shuts off a %s, remembered verdicts included, and one lets it in again',
    async (what, value, status, reason) => {
      expect(await asked()).toEqual([200, 'allowed']);
      const said = await revoke(
        `--${what}`,
        what === 'issuer' ? mesh.issuer.url : value,
        '--reason',
        'contract ended',
      );
      // The command is answered once the list is in force; its way to another worker is a message.
      await within(1_000, status, reason);
      expect(said).toContain('contract ended');
      expect(await revoke('--list')).toContain(idIn(said));
      await revoke('--lift', idIn(said));
      await within(1_000, 200, 'allowed');
      expect(await revoke('--list')).toBe('nothing is revoked\n');
    },
  );

  test('a connection without HTTP is shut by the SPIFFE ID alone', async () => {
    const open = await mesh
      .engine({
        policy: 'package mesh.authz\n\ndecision := true\n',
        listen: 'admin_token_file: ./secret',
        more: 'revocation: { file: ./tcp.jsonl }\n',
      })
      .catch(() => undefined);
    expect(open).toBeUndefined(); // there is no such file yet
    await writeFile(join(mesh.folder, 'tcp.jsonl'), '');
    const other = await mesh.engine({
      policy: 'package mesh.authz\n\ndecision := true\n',
      more: 'revocation: { file: ./tcp.jsonl }\n',
    });
    const behind = await mesh.envoy(other.grpc);
    const through = () => tcp({ ...request(mesh.frontend), port: behind.tcpPort });
    expect(await through()).toContain('200');
    await writeFile(join(mesh.folder, 'tcp.jsonl'), `{"spiffe_id":"${mesh.frontend.spiffeId}"}\n`);
    const written = Date.now();
    await eventually(async () => ((await through()) === '' ? true : undefined));
    expect(Date.now() - written).toBeLessThan(1_000);
    expect(other.decisions().at(-1)).toMatchObject({ outcome: 'deny', reason: 'identity_revoked' });
  }, 60_000);

  test('it is refused after the server was killed and started anew, and logs and metrics say so', async () => {
    const said = await revoke(
      '--subject',
      'frontend',
      '--issuer',
      mesh.issuer.url,
      '--by',
      'ops@example.org',
    );
    expect(engine.log()).toMatch(/"audit":"revocation revoked".*"by":"ops@example.org"/);
    engine.kill('SIGKILL');
    await engine.exited;
    engine = await start(engine.grpc);
    await eventually(async () => ((await asked())[1] === 'token_revoked' ? true : undefined));
    const metrics = await (await fetch(`http://${engine.admin}/metrics`)).text();
    expect(metrics).toMatch(/^countersign_decisions_total\{outcome="deny",reason="token_revoked"\} [1-9]/m);
    expect(metrics).toMatch(/^countersign_revocations 1$/m);
    await revoke('--lift', idIn(said));
    await within(1_000, 200, 'allowed');
    expect(JSON.stringify(engine.decisions()) + engine.log()).not.toContain('s'.repeat(40));
  }, 60_000);

  test('who has no secret changes nothing', async () => {
    const answer = await fetch(`http://${engine.admin}/revocations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"subject":"frontend"}',
    });
    expect(answer.status).toBe(401);
    expect(await asked()).toEqual([200, 'allowed']);
    await writeFile(join(mesh.folder, 'wrong'), 'x'.repeat(40));
    const outcome = await runCli([
      'revoke',
      '--admin',
      `http://${engine.admin}`,
      '--token-file',
      join(mesh.folder, 'wrong'),
      '--subject',
      'frontend',
    ]);
    expect(outcome).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('answered 401: unauthorized: send Authorization'),
    });
  });
});
