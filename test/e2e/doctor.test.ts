import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCli } from '../cli/run-cli.js';
import { describeEnvoy } from '../support/real-envoy.js';
import type { EngineProcess } from './engine.js';
import { type Mesh, startMesh } from './mesh.js';

interface Report {
  readonly ok: boolean;
  readonly findings: readonly { readonly code: string; readonly file?: string; readonly key?: string }[];
  readonly seen: readonly string[];
}

describeEnvoy('countersign doctor, beside a server that runs and a real Envoy', () => {
  let mesh: Mesh;
  let engine: EngineProcess;
  let config: string;
  let address: string;

  beforeAll(async () => {
    mesh = await startMesh();
    address = `unix://${join(mesh.folder, 'engine.sock')}`;
    engine = await mesh.engine({ grpc: address });
    config = join(mesh.folder, `${engine.name}.yaml`);
  }, 120_000);
  afterAll(() => mesh?.close());

  test('finds nothing wrong, and says what it looked at', async () => {
    const { code, stdout } = await runCli(['doctor', '-c', config]);
    expect(stdout).toContain(`${address}: serves, and denies a request of nobody\n`);
    expect(stdout).toMatch(/bundle of example\.org: 1 authority until 2/);
    expect(stdout).toMatch(/keys of http:.*: \d+, for /);
    expect(stdout).toMatch(/\nnothing wrong was found\n$/);
    expect(code).toBe(0);
  }, 60_000);

  test('finds in the dump of an Envoy what it was started with', async () => {
    const envoy = await mesh.envoy(address, {
      acceptUntrusted: true,
      forwardClientCert: { mode: 'FORWARD_ONLY' },
    });
    const dump = join(mesh.folder, 'dump.json');
    await writeFile(dump, await (await fetch(`${envoy.admin}/config_dump`)).text());
    const { code, stdout } = await runCli(['doctor', '-c', config, '--envoy', dump, '--json']);
    const report = JSON.parse(stdout) as Report;
    expect(report.ok).toBe(false);
    expect([...new Set(report.findings.map((finding) => finding.code))].sort()).toEqual([
      'envoy_accept_untrusted',
      'envoy_client_address',
      'envoy_cluster_limit',
      'envoy_escaped_slashes',
      'envoy_path_not_normalized',
      'envoy_slashes_not_merged',
      'envoy_underscores',
      'envoy_xfcc_forwarded',
    ]);
    // Both listeners, and each once.
    expect(report.findings.filter((finding) => finding.code === 'envoy_accept_untrusted')).toHaveLength(2);
    expect(report.findings.every(({ file, key }) => file === dump && key !== undefined)).toBe(true);
    expect(code).toBe(1);
  }, 60_000);

  test('says so when nobody answers any more', async () => {
    engine.kill('SIGTERM');
    await engine.exited;
    const { code, stdout } = await runCli(['doctor', '-c', config]);
    expect(stdout).toContain(`error: socket_not_listening: ${config}:`);
    expect(code).toBe(1);
    expect((await runCli(['doctor', '-c', config, '--offline'])).code).toBe(0);
  }, 60_000);
});
