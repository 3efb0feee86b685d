import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Envoy } from '../../src/demo/envoy.js';
import { DpopKey } from '../support/dpop.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { describeValkey, Valkey } from '../support/real-valkey.js';
import { http1 } from './client.js';
import { type Mesh, startMesh } from './mesh.js';

describeEnvoy('two replicas, each behind a real Envoy', () => {
  describeValkey('that share a Valkey', () => {
    let mesh: Mesh;
    let valkey: Valkey;
    let envoys: Envoy[];

    beforeAll(async () => {
      valkey = await Valkey.start();
      mesh = await startMesh();
      await writeFile(join(mesh.folder, 'nonce-secret'), randomBytes(32).toString('base64'));
      const policy = 'package mesh.authz\ndecision := true\n';
      const start = () =>
        mesh.engine({
          policy,
          token: '  dpop: { nonce: always, nonce_secret: ./nonce-secret }',
          more: `revocation: { store: { url: '${valkey.url}', max_stale: 8s } }\n`,
        });
      const engines = [await start(), await start()];
      envoys = await Promise.all(engines.map(({ grpc }) => mesh.envoy(grpc)));
    }, 300_000);
    afterAll(async () => {
      await mesh?.close();
      await valkey?.close();
    });

    test('trap 75: a proof that one of them saw is refused by the other', async () => {
      const key = await DpopKey.create();
      const token = await mesh.issuer.mint({ cnf: { jkt: key.thumbprint } });
      const proof = (nonce?: string) => key.proof({ htu: 'https://localhost/orders/7', token, nonce });
      const send = async (replica: number, dpop: string) => {
        const { status, body, headers } = await http1({
          ...mesh.as(mesh.frontend, envoys[replica]!),
          path: '/orders/7',
          headers: { host: 'localhost', authorization: `DPoP ${token}`, dpop },
        });
        const reason = status === 200 ? 'allowed' : (JSON.parse(body) as { reason: string }).reason;
        return { reason, nonce: headers['dpop-nonce'] };
      };
      const first = await send(0, await proof());
      expect(first.reason).toBe('dpop_nonce_required');
      const seen = await proof(String(first.nonce));
      expect(await send(0, seen)).toMatchObject({ reason: 'allowed' });
      expect(await send(1, seen)).toMatchObject({ reason: 'dpop_proof_replayed' });
      // One replica takes a nonce of the other: they share the secret.
      expect(await send(1, await proof(String(first.nonce)))).toMatchObject({ reason: 'allowed' });
    });
  });
});
