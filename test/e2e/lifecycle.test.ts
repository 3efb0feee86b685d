import { execFile, spawn } from 'node:child_process';
import { open, rename, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { credentials, loadPackageDefinition, makeGenericClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import { askGrpc } from '../../src/demo/ask-grpc.js';
import type { Case } from '../../src/demo/cases.js';
import { mintTrustDomain, type Svid } from '../../src/demo/trust-domain.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { http1 } from './client.js';
import type { EngineProcess } from './engine.js';
import { eventually } from './eventually.js';
import { type Mesh, startMesh } from './mesh.js';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh?.close());

function read(workload: Svid, token: string): Case {
  const expect = { status: 200, reason: 'allowed' };
  return { title: '', workload, method: 'GET', path: '/orders/7', token, expect };
}

describeEnvoy('an engine that comes and goes behind a real Envoy', () => {
  test('trap 1: killed in mid-traffic it never allows, and back again it heals without touching Envoy', async () => {
    const grpc = `unix://${join(mesh.folder, 'e.sock')}`;
    const first = await mesh.engine({ grpc });
    const envoy = await mesh.envoy(grpc);
    const token = await mesh.issuer.mint({ scope: 'orders:read' });
    const narrow = await mesh.issuer.mint({ scope: 'nothing' });
    const ask = async (bearer: string) =>
      (
        await http1({
          ...mesh.as(mesh.frontend, envoy),
          path: '/orders/7',
          headers: { authorization: `Bearer ${bearer}` },
        })
      ).status;
    expect(await ask(token)).toBe(200);

    let going = true;
    const forbidden: number[] = [];
    const wanted: number[] = [];
    const traffic = (async () => {
      while (going) {
        forbidden.push(await ask(narrow));
        wanted.push(await ask(token));
      }
    })();
    await eventually(() => (wanted.length > 10 ? true : undefined));
    first.kill('SIGKILL');
    await first.exited;
    const gone = wanted.length + 1;
    await eventually(() => (wanted.length > gone + 10 ? true : undefined));
    expect(new Set(wanted.slice(gone))).toEqual(new Set([403]));

    await mesh.engine({ grpc });
    await eventually(() => (wanted.at(-1) === 200 ? true : undefined));
    going = false;
    await traffic;
    // What is not granted was denied before, during and after.
    expect(new Set(forbidden)).toEqual(new Set([403]));
    expect(await ask(token)).toBe(200);
  }, 60_000);
});

describe('an engine over gRPC', () => {
  let engine: EngineProcess;
  let asker: ReturnType<typeof askGrpc>;
  beforeEach(async () => {
    engine = await mesh.engine();
    asker = askGrpc(engine.grpc);
  });
  afterEach(() => asker.close());

  test('says SERVING by grpc.health.v1, and with SIGTERM finishes its calls, flushes its log and ends with 0', async () => {
    expect(await health(engine.grpc)).toBe('SERVING');
    const token = await mesh.issuer.mint({ scope: 'orders:read' });
    const answers = Array.from({ length: 50 }, () => asker.ask(read(mesh.frontend, token)));
    await answers[0];
    engine.kill('SIGTERM');
    const seen = await Promise.all(answers);
    expect(new Set(seen.map(({ status }) => status))).toEqual(new Set([200]));
    asker.close();
    expect(await engine.exited).toBe(0);
    expect(engine.decisions()).toHaveLength(50);
    expect(engine.log()).toContain('"msg":"stopped"');
  });

  test('takes a new signing key at its first token, and refuses the old one', async () => {
    const before = await mesh.issuer.mint({ scope: 'orders:read' });
    expect(await asker.ask(read(mesh.frontend, before))).toMatchObject({ reason: 'allowed' });
    await mesh.issuer.rotate();
    const after = await mesh.issuer.mint({ scope: 'orders:read' });
    expect(await asker.ask(read(mesh.frontend, after))).toMatchObject({ reason: 'allowed' });
    expect(await asker.ask(read(mesh.frontend, before))).toMatchObject({ reason: 'token_key_unknown' });
  });

  test('takes a rotated trust bundle without a restart', async () => {
    const token = await mesh.issuer.mint({ scope: 'orders:read' });
    const next = await mintTrustDomain('example.org');
    const rotated = read(await next.issueSvid('/ns/shop/sa/frontend'), token);
    expect(await asker.ask(rotated)).toMatchObject({ reason: 'certificate_untrusted' });
    const file = join(mesh.folder, `${engine.name}.pem`);
    await writeFile(`${file}.new`, mesh.domain.bundlePem + next.bundlePem);
    await rename(`${file}.new`, file);
    await eventually(async () => ((await asker.ask(rotated)).reason === 'allowed' ? true : undefined));
    expect(await asker.ask(read(mesh.frontend, token))).toMatchObject({ reason: 'allowed' });
  }, 30_000);
});

describe('an operator is told', () => {
  test('when a trust bundle can no longer be read, and when it can again, once each', async () => {
    const engine = await mesh.engine();
    const file = join(mesh.folder, `${engine.name}.pem`);
    await rename(file, `${file}.away`);
    const told = (text: string) => eventually(() => (engine.log().includes(text) ? true : undefined));
    await told('cannot be read (ENOENT)');
    await rename(`${file}.away`, file);
    await told('refreshed again');
    expect(engine.log().match(/cannot be read/g)).toHaveLength(1);
    engine.kill('SIGHUP');
    await told('start a new process');
  }, 30_000);

  test('what is wrong at once, though an issuer hangs', async () => {
    const { port } = await hanging();
    const file = join(mesh.folder, 'hanging.yaml');
    const config = (issuer: string) => `
listen: { grpc: 127.0.0.1:0, admin: "off" }
identity: { trust_domains: { example.org: { bundle: ./engine-1.pem } } }
token: { issuers: [{ issuer: "${issuer}", audiences: [orders], jwks: discovery }] }
policy: { path: ./nowhere }
`;
    await writeFile(file, config(`http://127.0.0.1:${port}`));
    const failed = await run(process.execPath, [MAIN, 'serve', '-c', file], { timeout: 4_000 }).catch(
      (error: { code: number; stderr: string }) => error,
    );
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('nowhere cannot be read') });
  });

  test('nothing by a log that nobody can write, which does not keep the process either', async () => {
    const engine = await mesh.engine();
    const config = join(mesh.folder, `${engine.name}.yaml`);
    const full = await open('/dev/full', 'w');
    const child = spawn(process.execPath, [MAIN, 'serve', '-c', config], {
      stdio: ['ignore', full.fd, 'pipe'],
    });
    await full.close();
    let log = '';
    child.stderr!.on('data', (text: Buffer) => (log += text.toString()));
    const exited = new Promise((resolve) => child.once('exit', resolve));
    const grpc = await eventually(() => /"grpc":"([^"]+)"/.exec(log)?.[1]);
    const asker = askGrpc(grpc);
    const token = await mesh.issuer.mint({ scope: 'orders:read' });
    expect(await asker.ask(read(mesh.frontend, token))).toMatchObject({ reason: 'allowed' });
    asker.close();
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });
});

/** A server that takes connections and never answers. */
async function hanging(): Promise<{ port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  server.unref();
  await new Promise((resolve) => server.once('listening', resolve));
  return server.address() as AddressInfo;
}

describe('the CLI', () => {
  test('listens on a Unix socket that its owner and group may use, and takes over one that was left behind', async () => {
    const path = join(mesh.folder, 's.sock');
    const first = await mesh.engine({ grpc: `unix://${path}` });
    expect((await stat(path)).mode & 0o777).toBe(0o660);
    first.kill('SIGKILL');
    await first.exited;
    const second = await mesh.engine({ grpc: `unix://${path}` });
    const asker = askGrpc(`unix://${path}`);
    const token = await mesh.issuer.mint({ scope: 'orders:read' });
    expect(await asker.ask(read(mesh.frontend, token))).toMatchObject({ reason: 'allowed' });
    asker.close();
    await expect(mesh.engine({ grpc: `unix://${path}` })).rejects.toThrow('another process listens on');
    second.kill('SIGTERM');
    expect(await second.exited).toBe(0);
  });

  test('says where a configuration is wrong and how to mend it, and ends with 2', async () => {
    const file = join(mesh.folder, 'bad.yaml');
    await writeFile(file, 'identity:\n  trust_domains: {}\ntokn: {}\n');
    const failed = await run(process.execPath, [MAIN, 'serve', '-c', file]).catch((error) => error);
    expect(failed.code).toBe(2);
    expect(failed.stderr).toContain(`${file}:3:1: tokn`);
    expect(failed.stderr).toContain('token');
    expect(failed.stderr).not.toContain('    at ');
  });

  test('says where a policy is wrong, with the source line', async () => {
    const policy = 'package mesh.authz\n\ndecision if input.identity.spiffe_id = = "x"\n';
    await expect(mesh.engine({ policy })).rejects.toThrow(/policy\.rego:3:\d+: rego_parse_error/);
  });

  test('builds a bundle that serves as well as its folder', async () => {
    const bundle = join(mesh.folder, 'bundle.tar.gz');
    const policies = fileURLToPath(new URL('../../policies', import.meta.url));
    await run(process.execPath, [
      MAIN,
      'build',
      policies,
      '-e',
      'mesh/authz/decision',
      '-o',
      bundle,
      '-r',
      'r42',
    ]);
    const engine = await mesh.engine({ policies: bundle });
    const asker = askGrpc(engine.grpc);
    const token = await mesh.issuer.mint({ scope: 'orders:read' });
    expect(await asker.ask(read(mesh.frontend, token))).toMatchObject({ reason: 'allowed' });
    asker.close();
    const [line] = await eventually(() => (engine.decisions().length > 0 ? engine.decisions() : undefined));
    expect(line).toMatchObject({ bundles: { policy: { revision: 'r42' } } });
  });

  test('prints the JSON Schema of its configuration', async () => {
    const { stdout } = await run(process.execPath, [MAIN, 'config', 'schema']);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'object', additionalProperties: false });
  });
});

type HealthClient = (
  request: object,
  callback: (error: Error | null, answer?: { status: string }) => void,
) => void;

/** grpc.health.v1.Health/Check of the service that Envoy asks. */
function health(address: string): Promise<string> {
  const loaded = loadPackageDefinition(loadSync(healthProto, { enums: String })) as unknown as {
    grpc: { health: { v1: { Health: { service: Parameters<typeof makeGenericClientConstructor>[0] } } } };
  };
  const Client = makeGenericClientConstructor(loaded.grpc.health.v1.Health.service, 'Health');
  const client = new Client(address, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    const check = client.check as unknown as HealthClient;
    check.call(client, { service: 'envoy.service.auth.v3.Authorization' }, (error, answer) => {
      client.close();
      if (error) reject(error);
      else resolve(answer!.status);
    });
  });
}
