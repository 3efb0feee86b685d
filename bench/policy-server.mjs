// A server on a policy whose data changes, and what the benches of data and of pressure need of it.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkRequest } from '../dist/demo/ask-grpc.js';
import { mintTrustDomain } from '../dist/demo/trust-domain.js';
import { packBundle, unpackBundle } from '../dist/policy/bundle-archive.js';
import { compileRego } from '../dist/rego/compiler.js';
import { authorizationService } from '../dist/server/proto.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ENTRYPOINT = 'mesh/authz/decision';

// It asks the time, so that each request is evaluated, and looks into the data at a key that changes with it.
const REGO = `package mesh.authz

key := sprintf("subject-%07d", [(time.now_ns() / 1000000) % data.count])

default decision := false

decision := {"allowed": true, "reason": data.mark} if startswith(data.grants[key], "role-")
`;

/** What all servers of one bench share. */
export async function startBench() {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-'));
  const domain = await mintTrustDomain('example.org');
  const compiled = await compileRego([{ path: 'mesh/authz.rego', content: REGO }], {
    entrypoints: [ENTRYPOINT],
  });
  const files = await unpackBundle(compiled.bundle, Infinity);
  await writeFile(join(folder, 'example.org.pem'), domain.bundlePem);
  return { folder, domain, wasm: files.get('policy.wasm'), manifest: files.get('.manifest') };
}

/** A bundle with so many keys, each of about 50 bytes. */
export function bundleOf({ wasm, manifest }, revision, keys) {
  const grants = {};
  for (let n = 0; n < keys; n++)
    grants[`subject-${String(n).padStart(7, '0')}`] = `role-${n % 997}-abcdefghij`;
  const data = JSON.stringify({ grants, count: keys, mark: revision });
  const told = { ...JSON.parse(manifest), revision };
  return packBundle([
    ['.manifest', JSON.stringify(told)],
    ['policy.wasm', wasm],
    ['data.json', data],
  ]);
}

/** A request as h2load sends it. */
export async function requestFile({ folder, domain }, token) {
  const workload = await domain.issueSvid('/ns/shop/sa/frontend');
  const asked = { workload, method: 'GET', path: '/orders/7', ...(token && { token }) };
  const bytes = authorizationService.Check.requestSerialize(checkRequest(asked));
  const frame = Buffer.alloc(5); // not compressed, then the length: gRPC over HTTP/2, "Length-Prefixed-Message"
  frame.writeUInt32BE(bytes.length, 1);
  const body = join(folder, `request-${token ? 'token' : 'plain'}.grpc`);
  await writeFile(body, Buffer.concat([frame, bytes]));
  return { body, path: authorizationService.Check.path };
}

/** Starts a server whose event loop is watched; `bundle` is what it begins with. */
export async function startServer({ folder }, name, bundle, token = 'token: { mode: "off" }') {
  const file = join(folder, `${name}.tar.gz`);
  const config = join(folder, `${name}.yaml`);
  const watched = join(folder, `${name}.json`);
  await writeFile(file, bundle);
  await writeFile(
    config,
    `listen: { grpc: "127.0.0.1:0", admin: "off" }
identity: { trust_domains: { example.org: { bundle: ./example.org.pem } } }
${token}
policy: { path: ${JSON.stringify(file)} }
decision_log: { enabled: false }
`,
  );
  const args = ['--import', join(ROOT, 'bench/watch-loop.mjs'), 'dist/cli/main.js', 'serve', '-c', config];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, WATCH_LOOP: watched },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (text) => (log += text));
  const told = async (what) => {
    while (!what()) {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${log}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  await told(() => log.includes('"grpc":"'));
  const { grpc } = JSON.parse(log.split('\n').find((line) => line.includes('"grpc":"')));
  return {
    pid: child.pid,
    address: grpc,
    /** Puts a bundle in place of the one that is there; milliseconds until it decides. */
    async change(revision, bytes) {
      await writeFile(`${file}.new`, bytes);
      const from = log.length;
      const started = performance.now();
      await rename(`${file}.new`, file);
      await told(() => log.slice(from).includes(`"revision":"${revision}"`));
      return performance.now() - started;
    },
    /** How the event loop fared since it was asked last. */
    async loop() {
      await rm(watched, { force: true });
      child.kill('SIGUSR2');
      for (;;) {
        const text = await readFile(watched, 'utf8').catch(() => '');
        if (text !== '') return JSON.parse(text);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    stop: () => child.kill('SIGTERM'),
  };
}
