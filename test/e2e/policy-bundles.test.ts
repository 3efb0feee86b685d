import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { askGrpc } from '../../src/demo/ask-grpc.js';
import { packBundle, unpackBundle } from '../../src/policy/bundle-archive.js';
import { signBundle } from '../../src/policy/signature.js';
import { compileRego } from '../../src/rego/compiler.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { createPolicies } from '../../src/cli/policy-source.js';
import { signArchive } from '../../src/cli/sign.js';
import { parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problem.js';
import type { Config } from '../../src/config/schema.js';
import type { EngineProcess } from './engine.js';
import { type Mesh, startMesh } from './mesh.js';
import { eventually, mark, marked, metric, readyz, serve, until } from './policy-server.js';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let mesh: Mesh;
const closers: (() => unknown)[] = [];
beforeAll(async () => {
  mesh = await startMesh();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(() => mesh?.close());

async function started(policy: string): Promise<EngineProcess> {
  const engine = await serve(mesh, policy);
  closers.push(async () => {
    engine.kill('SIGKILL');
    await engine.exited;
  });
  return engine;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A bundle service whose answer a test sets; long polls wait until it sets another one. */
async function service() {
  const state = {
    handler: ((_, response) => response.writeHead(503).end()) as Handler,
    requests: [] as IncomingMessage[],
  };
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    state.requests.push(request);
    state.handler(request, response);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: state.requests,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
    answer(handler: Handler) {
      state.handler = handler;
    },
    /** As OPA's bundle API has it: ETag, and long polling. */
    serve(bundle: Uint8Array, etag: string) {
      state.handler = (request, response) => {
        const send = () => {
          response.writeHead(200, { etag, 'content-type': 'application/vnd.openpolicyagent.bundles' });
          response.end(bundle);
        };
        if (request.headers['if-none-match'] !== etag) return send();
        const wait = Number(/wait=(\d+)/.exec(String(request.headers.prefer))?.[1] ?? 0);
        const timer = setTimeout(() => response.writeHead(304, { etag }).end(), wait * 1000);
        waiting.add(() => {
          clearTimeout(timer);
          state.handler(request, response);
        });
      };
      for (const wake of waiting) wake();
      waiting.clear();
    },
  };
}

async function compiled(name: string, key?: KeyObject): Promise<Uint8Array> {
  const outcome = await compileRego(
    [
      { path: 'mesh/authz.rego', content: marked(name) },
      { path: 'data.json', content: '{"mark": "b"}' },
    ],
    { entrypoints: ['mesh/authz/decision'], revision: name },
  );
  if (isRefusal(outcome)) throw new Error(outcome.detail);
  return key ? signArchive(outcome.bundle, { algorithm: 'ES256', key, keyId: 'k1' }) : outcome.bundle;
}

async function keyFile(): Promise<string> {
  const path = join(await mkdtemp(join(mesh.folder, 'key-')), 'pub.pem');
  await writeFile(path, createPublicKey(keys.privateKey).export({ type: 'spki', format: 'pem' }));
  return path;
}

const POLLING = 'polling: { min_delay: 100ms, max_delay: 200ms, long_polling_timeout: 20s }';

describe('bundles of a service', () => {
  test('trap 98: change the policy by long polling, and what is wrong with one leaves the last good one', async () => {
    const control = await service();
    control.serve(await compiled('A', keys.privateKey), '"a"');
    const token = join(mesh.folder, 'token');
    await writeFile(token, 'first\n');
    const engine = await started(`
  services: { control: { url: '${control.url}', timeout: 1s, credentials: { bearer: { token_path: ${token} } } } }
  keys: { k1: { algorithm: ES256, key: ${await keyFile()} } }
  bundles: { authz: { service: control, resource: /authz.tar.gz, ${POLLING}, size_limit_bytes: 4000000, signing: {} } }`);
    const asker = askGrpc(engine.grpc);
    expect(await mark(mesh, asker, engine)).toBe('A b');
    expect(control.requests[0]).toMatchObject({
      url: '/authz.tar.gz',
      headers: { authorization: 'Bearer first' },
    });
    await eventually(() =>
      control.requests.at(-1)!.headers.prefer === 'modes=snapshot;wait=20' ? true : undefined,
    );

    await writeFile(token, 'second');
    control.serve(await compiled('B', keys.privateKey), '"b"');
    expect(await until(mesh, asker, engine, 'B b')).toBeLessThan(10_000);
    await eventually(() =>
      control.requests.at(-1)!.headers.authorization === 'Bearer second' ? true : undefined,
    );

    const evil = await compiled('C');
    const signed = await compiled('C', keys.privateKey);
    const elsewhere = await service();
    elsewhere.serve(evil, '"c"');
    const body = (bytes: Uint8Array, headers: object = {}) =>
      ((_, response) => response.writeHead(200, { etag: '"c"', ...headers }).end(bytes)) as Handler;
    const files = new Map([
      ['policy.wasm', Buffer.from('x')],
      ['patch.json', Buffer.from('{}')],
    ]);
    const spoilt: [string, Handler][] = [
      ['bundle_unsigned', body(evil)],
      ['bundle_signature_invalid', body(await compiled('C', foreign.privateKey))],
      ['bundle_file_unsigned', body(await withFile(signed))],
      [
        'bundle_delta',
        body(
          await packBundle([
            ...files,
            [
              '.signatures.json',
              await signBundle(files, { algorithm: 'ES256', key: keys.privateKey, keyId: 'k1' }),
            ],
          ]),
        ),
      ],
      ['bundle_unreadable', body(signed.subarray(0, signed.length - 20))],
      ['bundle_too_large', body(Buffer.alloc(4_000_001))],
      ['bundle_too_large', body(await packBundle([['data.json', Buffer.alloc(5_000_000, 32)]]))],
      ['answered 500', (_, response) => response.writeHead(500).end('no')],
      ['redirects', (_, response) => response.writeHead(302, { location: `${elsewhere.url}/` }).end()],
      ['content-encoding', body(signed, { 'content-encoding': 'gzip' })],
      [
        'in time',
        (_, response) => void response.writeHead(200, { etag: '"c"' }).write(signed.subarray(0, 100)),
      ],
      ['ECONNRESET', (_, response) => void response.destroy()],
    ];
    for (const [told, handler] of spoilt) {
      const before = engine.log().length;
      control.answer(handler);
      engine.kill('SIGHUP');
      await eventually(() => (engine.log().slice(before).includes(told) ? true : undefined));
      expect(await mark(mesh, asker, engine)).toBe('B b');
    }
    expect(elsewhere.requests).toEqual([]);
    expect(await metric(engine, 'countersign_policy_reload_failing{bundle="authz"}')).toBe(1);
    expect(
      await metric(engine, 'countersign_bundle_refused_total{bundle="authz",code="bundle_unsigned"}'),
    ).toBeGreaterThan(0);
    expect(engine.log()).not.toContain('Bearer');

    control.serve(await compiled('D', keys.privateKey), '"d"');
    await until(mesh, asker, engine, 'D b');
    expect((await readyz(engine)).checks.policy).toMatchObject({ ok: true, detail: 'revision D' });
    const decided = engine
      .decisions()
      .map((event) => [
        (event.bundles as { authz: { revision: string } }).authz.revision,
        (event.result as { reason: string }).reason,
      ]);
    expect(new Set(decided.map((pair) => pair.join(' ')))).toEqual(new Set(['A A b', 'B B b', 'D D b']));
    asker.close();
  }, 180_000);

  test('that was kept serves a restart while the service is away, and is verified like any other', async () => {
    const control = await service();
    control.serve(await compiled('A', keys.privateKey), '"a"');
    const kept = await mkdtemp(join(mesh.folder, 'kept-'));
    const policy = `
  services: { control: { url: '${control.url}', timeout: 1s } }
  keys: { k1: { algorithm: ES256, key: ${await keyFile()} } }
  persistence_directory: ${kept}
  bundles: { authz: { service: control, ${POLLING}, persist: true, signing: {} } }`;
    const first = await started(policy);
    expect(control.requests[0]!.url).toBe('/bundles/authz');
    const file = join(kept, 'authz/bundle.tar.gz');
    await eventually(() => readFile(file).catch(() => undefined));
    first.kill('SIGKILL');
    control.close();
    const second = await started(policy);
    const asker = askGrpc(second.grpc);
    expect(await mark(mesh, asker, second)).toBe('A b');
    expect((await readyz(second)).checks.policy).toMatchObject({
      ok: false,
      detail: expect.stringContaining('bundle_unreachable'),
    });
    asker.close();

    await writeFile(file, await compiled('E'));
    const events: string[] = [];
    const policies = await createPolicies(policyOf(policy), {
      now: () => Date.now(),
      onEvent: (event) => events.push(event.kind === 'refused' ? event.refusal.code : event.kind),
      onRequest: () => {},
      onStoreFailure: () => {},
    });
    await policies.start();
    policies.stop();
    expect(events).toContain('bundle_unsigned');
    expect(policies.current()).toBeUndefined();
  }, 180_000);

  test('that never came leaves the server up, unready and denying, until it comes', async () => {
    const control = await service();
    const starting = started(`
  services: { control: { url: '${control.url}', timeout: 1s } }
  bundles: { authz: { service: control, ${POLLING} } }`);
    await eventually(() => (control.requests.length > 2 ? true : undefined));
    control.serve(await compiled('A'), '"a"');
    const engine = await starting;
    expect(engine.log()).toContain('there is no policy yet, and so everything is denied');
    const asker = askGrpc(engine.grpc);
    expect(await mark(mesh, asker, engine)).toBe('A b');
    asker.close();
  }, 180_000);

  test('with disjoint roots decide together, and data alone changes without the compiler', async () => {
    const control = await service();
    const folder = await mkdtemp(join(mesh.folder, 'bundles-'));
    const data = (mark: string, revision: string, roots = '["mark"]') =>
      packBundle([
        ['.manifest', `{"revision":"${revision}","roots":${roots}}`],
        ['data.json', `{"mark":"${mark}"}`],
      ]);
    const authz = await packBundle([
      ['.manifest', '{"revision":"p1","roots":["mesh"]}'],
      ['mesh/authz.rego', marked('P')],
    ]);
    await writeFile(join(folder, 'data.tar.gz'), await data('1', 'd1'));
    control.serve(authz, '"p"');
    const engine = await started(`
  services: { control: { url: '${control.url}' } }
  bundles:
    authz: { service: control, ${POLLING} }
    marks: { path: ${join(folder, 'data.tar.gz')} }`);
    const asker = askGrpc(engine.grpc);
    expect(await mark(mesh, asker, engine)).toBe('P 1');
    expect(engine.decisions()[0]).toMatchObject({
      bundles: { authz: { revision: 'p1' }, marks: { revision: 'd1' } },
    });
    await writeFile(join(folder, 'data.tar.gz'), await data('2', 'd2'));
    await until(mesh, asker, engine, 'P 2');
    await writeFile(join(folder, 'data.tar.gz'), await data('3', 'd3', '["mesh","mark"]'));
    await eventually(() =>
      /roots of the bundles authz .* and marks .* overlap/.test(engine.log()) ? true : undefined,
    );
    expect(await mark(mesh, asker, engine)).toBe('P 2');
    asker.close();
  }, 180_000);
});

async function withFile(bundle: Uint8Array): Promise<Uint8Array> {
  const files = await unpackBundle(bundle, Infinity);
  if (isRefusal(files)) throw new Error(files.detail);
  return packBundle([...files, ['more/data.json', '{"x":1}']]);
}

function policyOf(text: string): Config['policy'] {
  const file = `identity: { trust_domains: { example.org: { bundle: ./root.pem } } }\ntoken: { mode: "off" }\npolicy: ${text}\n`;
  const config = parseConfig(file, { file: 'countersign.yaml', env: {} });
  if (config instanceof ConfigError) throw config;
  return config.policy;
}
