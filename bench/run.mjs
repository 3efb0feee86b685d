// npm run bench [-- --json] [--rounds N] [--requests N] [--peer BINARY]
// --peer names an opa-envoy-plugin, built from its public repository, to be measured on the same policy.
// What a decision costs: CPU of the server process a request, beside a grpc-js server that decides nothing.
import { execFileSync, spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkRequest } from '../dist/demo/ask-grpc.js';
import { startIssuer } from '../dist/demo/issuer.js';
import { mintTrustDomain } from '../dist/demo/trust-domain.js';
import { authorizationService } from '../dist/server/proto.js';
import { load } from './h2load.mjs';
import { freePort, listens, peerPolicy } from './peer.mjs';
import { markdown } from './results.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    requests: { type: 'string', default: '20000' },
    peer: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const requests = Number(options.requests);

const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-'));
const domain = await mintTrustDomain('example.org');
const issuer = await startIssuer({ audience: 'orders', algorithm: 'RS256' });
const servers = [];
try {
  const frontend = await domain.issueSvid('/ns/shop/sa/frontend');
  const thumbprint = createHash('sha256')
    .update(new X509Certificate(frontend.certPem).raw)
    .digest('base64url');
  const token = await issuer.mint({ scope: 'orders:read', cnf: { 'x5t#S256': thumbprint } });
  const read = { workload: frontend, method: 'GET', path: '/orders/7' };

  const echo = await start(['bench/echo-server.mjs']);
  const strict = await serve('strict', 'mode: required');
  const logless = await serve('logless', 'mode: required', 'decision_log: { enabled: false }');
  const tokenless = await serve('tokenless', 'mode: "off"');
  const peers = options.peer
    ? [
        {
          name: 'opa-envoy-plugin verifying the token',
          server: await servePeer(false),
          asked: { ...read, token },
        },
        {
          name: 'opa-envoy-plugin, with decision log',
          server: await servePeer(true),
          asked: { ...read, token },
        },
      ]
    : [];
  const contenders = [
    { name: 'grpc-js echo, nothing decoded', server: echo, asked: { ...read, token } },
    { name: 'warm token, allowed', server: strict, asked: { ...read, token } },
    { name: 'warm token, allowed, no decision log', server: logless, asked: { ...read, token } },
    { name: 'no token needed; policy denies', server: tokenless, asked: read },
    { name: 'no token; denied before policy', server: strict, asked: read },
    ...peers,
  ];

  const corpus = [];
  for (const [index, { asked }] of contenders.entries()) {
    const body = join(folder, `request-${index}.grpc`);
    const bytes = authorizationService.Check.requestSerialize(checkRequest(asked));
    const frame = Buffer.alloc(5); // not compressed, then the length: gRPC over HTTP/2, "Length-Prefixed-Message"
    frame.writeUInt32BE(bytes.length, 1);
    await writeFile(body, Buffer.concat([frame, bytes]));
    corpus.push({ body, bytes: bytes.length });
  }

  const measure = (index, count) =>
    load(contenders[index].server, {
      requests: count,
      body: corpus[index].body,
      path: authorizationService.Check.path,
    });
  for (const index of contenders.keys()) await measure(index, Math.ceil(requests / 4)); // V8 warms up
  const runs = contenders.map(() => []);
  // Interleaved, so that a noisy minute falls on all of them.
  for (let round = 0; round < rounds; round++)
    for (const index of contenders.keys()) runs[index].push(await measure(index, requests));

  const results = contenders.map(({ name }, index) => ({
    name,
    bytes: corpus[index].bytes,
    cpu: spread(runs[index].map(({ cpu }) => cpu)),
    ratio: spread(runs[index].map(({ cpu }, round) => cpu / runs[0][round].cpu)),
    throughput: spread(runs[index].map(({ throughput }) => throughput)),
    rss: Math.max(...runs[index].map(({ rss }) => rss)),
  }));
  const report = { machine: machine(), rounds, requests, results };
  if (options.json) console.log(JSON.stringify(report, null, 2));
  else console.log(markdown(report));
  await writeFile(join(ROOT, 'bench/RESULTS.md'), markdown(report));
} finally {
  for (const { child } of servers) child.kill('SIGTERM');
  await issuer.close();
  await rm(folder, { recursive: true, force: true });
}

/** A Countersign of its own, on the default policy. */
async function serve(name, token, more = '') {
  await writeFile(join(folder, 'example.org.pem'), domain.bundlePem);
  const file = join(folder, `${name}.yaml`);
  await writeFile(
    file,
    `listen: { grpc: "127.0.0.1:0", admin: "off" }
identity: { trust_domains: { example.org: { bundle: ./example.org.pem } } }
token:
  ${token}
  issuers: [{ issuer: "${issuer.url}", audiences: [orders], jwks: discovery, algorithms: [RS256] }]
policy: { path: ${JSON.stringify(join(ROOT, 'policies'))} }
${more}
`,
  );
  return start(['dist/cli/main.js', 'serve', '-c', file]);
}

/**
 * opa-envoy-plugin on the default policy, with what a policy has to do there by itself: take the principal from
 * Envoy on trust, and verify the token against keys in its data. It checks no certificate and no binding.
 */
async function servePeer(log) {
  const jwks = await (await fetch(`${issuer.url}/jwks`)).text();
  await writeFile(join(folder, 'peer.rego'), peerPolicy(issuer.url, jwks));
  const port = await freePort();
  const flags = ['--addr=127.0.0.1:0', '--skip-version-check', '--log-level=error', '--v1-compatible'];
  const settings = [
    `plugins.envoy_ext_authz_grpc.addr=127.0.0.1:${port}`,
    'plugins.envoy_ext_authz_grpc.path=peer/decision',
    `decision_logs.console=${log}`,
  ].map((setting) => `--set=${setting}`);
  const files = [join(ROOT, 'policies/mesh/authz.rego'), join(folder, 'peer.rego')];
  const data = `mesh.routes:${join(ROOT, 'policies/mesh/routes/data.json')}`;
  const child = spawn(options.peer, ['run', '--server', ...flags, ...settings, ...files, data], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  servers.push({ child });
  let output = '';
  const take = (text) => (output = `${output}${text}`.slice(-2000));
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  await listens(port).catch((error) => {
    throw new Error(`${options.peer}: ${error.message}\n${output}`);
  });
  return { pid: child.pid, address: `127.0.0.1:${port}` };
}

/** Starts a server and waits for the address that it writes, in one way or the other. */
function start(args) {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  servers.push({ child });
  return new Promise((resolve, reject) => {
    let output = '';
    const take = (text) => {
      if (output === undefined) return; // from here on the decision log is read and thrown away
      output += text;
      const [, address] = /"grpc":"([^"]+)"|^(127\.0\.0\.1:\d+)$/m.exec(output)?.filter(Boolean) ?? [];
      if (address === undefined) return;
      output = undefined;
      resolve({ pid: child.pid, address });
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code}:\n${output}`)));
  });
}

function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return { min: sorted[0], median: sorted[Math.floor(sorted.length / 2)], max: sorted.at(-1) };
}

function machine() {
  const h2load = execFileSync('h2load', ['--version'], { encoding: 'utf8' }).trim();
  return { cpu: cpus()[0].model, cores: cpus().length, node: process.version, h2load };
}
