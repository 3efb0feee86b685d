import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problem.js';
import { spawnEnvoy } from '../../src/demo/envoy.js';
import { http1 } from '../../src/demo/mtls-request.js';
import { mintTrustDomain } from '../../src/demo/trust-domain.js';
import { startUpstream } from '../../src/demo/upstream.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { compileRego } from '../../src/rego/compiler.js';
import { readRegoFolder } from '../../src/rego/folder.js';
import { startEngine } from '../e2e/engine.js';
import { freePort } from '../support/free-port.js';
import { describeEnvoy, envoyBinary } from '../support/real-envoy.js';
import { describeSpire } from '../support/spire.js';

const run = promisify(execFile);

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));
const text = (path: string) => readFile(join(EXAMPLES, path), 'utf8');

/** As much of a Kubernetes object as is looked at. */
interface Manifest {
  kind: string;
  metadata: { name: string; namespace: string };
  spec: {
    provider: { name: string };
    ports: { port: number }[];
    selector: { matchLabels: object };
    workloadSelector: { labels: object };
    template: { spec: { containers: { ports: { containerPort: number }[] }[] } };
  };
}

describe('the examples', () => {
  test.each(['envoy/countersign.yaml', 'istio/countersign.yaml', 'spire/countersign.yaml'])('%s is a configuration', async (path) => {
    const config = parseConfig(await text(path), { file: path, env: {} });
    if (config instanceof ConfigError) throw config;
  });

  test.each(['envoy', 'spire'])('%s: the policies compile for the entrypoint that is configured', async (example) => {
    const sources = await readRegoFolder(join(EXAMPLES, example, 'policies'));
    if (isRefusal(sources)) throw new Error(sources.detail);
    const compiled = await compileRego(sources, { entrypoints: ['mesh/authz/decision'] });
    if (isRefusal(compiled)) throw new Error(compiled.detail);
  });

  test("Istio's pieces fit together: provider, service, ports and selectors", async () => {
    const manifests = async (path: string) =>
      parseAllDocuments(await text(path)).map((document) => document.toJS() as Manifest);
    const { extensionProviders } = parse(await text('istio/mesh-config.yaml')) as {
      extensionProviders: { name: string; envoyExtAuthzGrpc: { service: string; port: number; failOpen: boolean } }[];
    };
    const [provider] = extensionProviders;
    const [policy, mtls, filter] = await manifests('istio/authorization-policy.yaml');
    const deployed = await manifests('istio/countersign.deployment.yaml');
    const service = deployed.find(({ kind }) => kind === 'Service')!;
    const deployment = deployed.find(({ kind }) => kind === 'Deployment')!;
    const config = parseConfig(await text('istio/countersign.yaml'), { file: '', env: {} });
    if (config instanceof ConfigError) throw config;

    expect(policy!.spec.provider.name).toBe(provider!.name);
    expect(provider!.envoyExtAuthzGrpc.failOpen).toBe(false);
    expect(provider!.envoyExtAuthzGrpc.service).toBe(
      `${service.metadata.name}.${service.metadata.namespace}.svc.cluster.local`,
    );
    expect(service.spec.ports[0]!.port).toBe(provider!.envoyExtAuthzGrpc.port);
    const ports = deployment.spec.template.spec.containers[0]!.ports.map(({ containerPort }) => containerPort);
    expect([config.listen.grpc, config.listen.admin]).toEqual(ports.map((port) => `0.0.0.0:${port}`));
    expect(mtls!.spec.selector).toEqual(policy!.spec.selector);
    expect(filter!.spec.workloadSelector.labels).toEqual(policy!.spec.selector.matchLabels);
  });

  test('docker-compose mounts what the other examples are', async () => {
    const { services } = parse(await text('docker-compose/docker-compose.yaml')) as {
      services: { [name: string]: { volumes?: string[] } };
    };
    const mounted = Object.values(services).flatMap(({ volumes = [] }) => volumes);
    for (const source of mounted.map((volume) => volume.split(':')[0]!).filter((path) => path.startsWith('../')))
      await expect(readFile(join(EXAMPLES, 'docker-compose', source)).catch((error) => error.code)).resolves.not.toBe('ENOENT');
  });
});

describeEnvoy('the example of a plain Envoy', () => {
  test('lets a health check through for its workload alone, and asks for a token otherwise', async () => {
    const cleanup: (() => unknown)[] = [];
    try {
      const folder = await mkdtemp(join(tmpdir(), 'countersign-ex-'));
      cleanup.push(() => rm(folder, { recursive: true, force: true }));
      const domain = await mintTrustDomain('example.org');
      const own = await domain.issueSvid('/ns/shop/sa/orders', { dns: ['localhost'] });
      const frontend = await domain.issueSvid('/ns/shop/sa/frontend');
      const files = { 'svid.pem': own.chainPem, 'key.pem': own.keyPem, 'bundle.pem': domain.bundlePem };
      for (const [name, content] of Object.entries(files))
        await writeFile(join(folder, name), content, { mode: 0o600 });
      const upstream = await startUpstream();
      cleanup.push(() => upstream.close());
      const port = await freePort();

      const here = (example: string) =>
        example
          .replaceAll('/run/countersign/countersign.sock', join(folder, 'cs.sock'))
          .replaceAll('/run/svid', folder)
          .replace('admin: 127.0.0.1:8181', 'admin: 127.0.0.1:0')
          .replace('path: ./policies', `path: ${join(EXAMPLES, 'envoy/policies')}`)
          .replace('address: 0.0.0.0, port_value: 8443', `address: 127.0.0.1, port_value: ${port}`)
          .replace('port_value: 8080', `port_value: ${upstream.port}`);
      await writeFile(join(folder, 'countersign.yaml'), here(await text('envoy/countersign.yaml')));
      await writeFile(join(folder, 'envoy.yaml'), here(await text('envoy/envoy.yaml')));
      const engine = await startEngine(join(folder, 'countersign.yaml'), 'example');
      cleanup.push(() => (engine.kill('SIGKILL'), engine.exited));
      const envoy = await spawnEnvoy(envoyBinary, join(folder, 'envoy.yaml'), folder);
      cleanup.push(() => envoy.stop());

      const peer = { ca: domain.bundlePem, certPem: frontend.certPem, keyPem: frontend.keyPem };
      const ask = (path: string, headers = {}) => http1({ port, ...peer, path, headers });
      const health = await ask('/healthz', { 'x-countersign-subject': 'root' });
      expect(health.status).toBe(200);
      expect(JSON.parse(health.body).headers).toMatchObject({ 'x-countersign-spiffe-id': frontend.spiffeId });
      expect(JSON.parse(health.body).headers).not.toHaveProperty('x-countersign-subject');
      const orders = await ask('/orders/7');
      expect([orders.status, JSON.parse(orders.body).reason]).toEqual([401, 'token_missing']);
      expect((await ask('/orders%2F7')).status).toBe(400);
    } finally {
      for (const clean of cleanup.reverse()) await clean();
    }
  }, 60_000);
});

describeSpire('the example of SPIRE', () =>
  describeEnvoy('and a real Envoy', () => {
    test('answers its six requests as its README shows', async () => {
      // As `npm run example:spire`, without the build.
      const { stdout } = await run(
        process.execPath,
        ['--import', './test/support/typescript.mjs', 'examples/spire/run.ts'],
        { cwd: join(EXAMPLES, '..'), env: { ...process.env, NODE_OPTIONS: '' }, timeout: 120_000 },
      );
      const answers = stdout.split('\n').filter((line) => /^[✓✗]/.test(line));
      const shown = (await text('spire/README.md')).split('\n').filter((line) => line.startsWith('✓'));
      expect(shown).toHaveLength(6);
      expect(answers.map((line, i) => line.slice(0, shown[i]!.length))).toEqual(shown);
    }, 150_000);
  }),
);
