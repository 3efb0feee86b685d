import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Envoy } from '../../src/demo/envoy.js';
import { runCli } from '../cli/run-cli.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { describeValkey, Valkey } from '../support/real-valkey.js';
import { http1 } from './client.js';
import type { EngineProcess } from './engine.js';
import { eventually } from './eventually.js';
import { type Mesh, startMesh } from './mesh.js';

describeEnvoy('two replicas, each behind a real Envoy', () => {
  describeValkey('that share a Valkey', () => {
    let mesh: Mesh;
    let valkey: Valkey;
    let engines: EngineProcess[];
    let envoys: Envoy[];
    let token: string;

    const start = (grpc?: string) =>
      mesh.engine({
        ...(grpc && { grpc }),
        listen: 'admin_token_file: ./secret',
        more: `revocation: { store: { url: '${valkey.url}', max_stale: 8s } }\n`,
      });

    beforeAll(async () => {
      valkey = await Valkey.start();
      mesh = await startMesh();
      await mkdir(mesh.folder, { recursive: true });
      await writeFile(join(mesh.folder, 'secret'), 's'.repeat(40));
      engines = [await start(), await start()];
      envoys = [await mesh.envoy(engines[0]!.grpc), await mesh.envoy(engines[1]!.grpc)];
      token = await mesh.issuer.mint({ scope: 'orders:read' });
    }, 300_000);
    afterAll(async () => {
      await mesh?.close();
      await valkey?.close();
    });

    const asked = async (replica: 0 | 1) => {
      const { status, body } = await http1({
        ...mesh.as(mesh.frontend, envoys[replica]!),
        path: '/orders/7',
        headers: { authorization: `Bearer ${token}` },
      });
      return status === 200 ? 'allowed' : (JSON.parse(body) as { reason: string }).reason;
    };
    const untilAsked = (replica: 0 | 1, reason: string) =>
      eventually(async () => ((await asked(replica)) === reason ? true : undefined));
    const revoke = (...args: string[]) =>
      runCli([
        'revoke',
        '--admin',
        `http://${engines[0]!.admin}`,
        '--token-file',
        join(mesh.folder, 'secret'),
        ...args,
      ]);

    test('one command at one of them is in force at the other within a second, and after a restart of both', async () => {
      expect([await asked(0), await asked(1)]).toEqual(['allowed', 'allowed']);
      const { stdout } = await revoke('--issuer', mesh.issuer.url, '--reason', 'contract ended');
      const told = performance.now();
      await untilAsked(1, 'token_revoked');
      expect(performance.now() - told).toBeLessThan(1_000);
      expect(await asked(0)).toBe('token_revoked');
      expect(stdout).toContain('within a second at every other one');

      for (const engine of engines) engine.kill('SIGKILL');
      await Promise.all(engines.map(({ exited }) => exited));
      engines = [await start(engines[0]!.grpc), await start(engines[1]!.grpc)];
      await untilAsked(0, 'token_revoked');
      await untilAsked(1, 'token_revoked');
      await revoke('--lift', /--lift (\S+)/.exec(stdout)![1]!);
      await untilAsked(1, 'allowed');
    }, 60_000);

    test('with the store gone for too long nothing is let in, readiness says why, and it comes back by itself', async () => {
      const ready = async () => (await fetch(`http://${engines[1]!.admin}/readyz`)).status;
      expect([await asked(1), await ready()]).toEqual(['allowed', 200]);
      await valkey.kill();
      const outcome = await revoke('--subject', 'frontend');
      expect(outcome).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('503: store_unavailable: in force at this server alone'),
      });
      expect([await asked(0), await asked(1)]).toEqual(['token_revoked', 'allowed']);
      await untilAsked(1, 'revocation_unavailable');
      expect(await ready()).toBe(503);
      await valkey.restart();
      await untilAsked(1, 'token_revoked');
      expect(await ready()).toBe(200);
    }, 60_000);
  });
});
