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
import { startIssuer } from '../dist/demo/issuer.js';
import { mintTrustDomain } from '../dist/demo/trust-domain.js';
import { load } from './h2load.mjs';
import { writeManyRules } from './many-rules.mjs';
import { freePort, listens, peerPolicy } from './peer.mjs';
import { framed, path } from './request.mjs';
import { markdown } from './results.mjs';
import { loadEach } from './varied-load.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    requests: { type: 'string', default: '20000' },
    peer: { type: 'string' },
  },
});
const LOGLESS = 'decision_log: { enabled: false }';
/** Of requests that are made one by one there are so many times fewer: a token takes a millisecond to sign. */
const EACH = 8;
const rounds = Number(options.rounds);
const requests = Number(options.requests);

const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-'));
const domain = await mintTrustDomain('example.org');
const issuer = await startIssuer({ audience: 'orders', algorithm: 'RS256' });
const servers = [];
/** Requests of their own kind that were made so far, so that none is made twice. */
let made = 0;
try {
  const frontend = await domain.issueSvid('/ns/shop/sa/frontend');
  const thumbprint = createHash('sha256')
    .update(new X509Certificate(frontend.certPem).raw)
    .digest('base64url');
  // Longer than any run: one that expired would be measured as a denial.
  const exp = Math.floor(Date.now() / 1000) + 3_500;
  const bound = { scope: 'orders:read', exp, cnf: { 'x5t#S256': thumbprint } };
  const token = await issuer.mint(bound);
  const read = { workload: frontend, method: 'GET', path: '/orders/7' };

  const echo = await start(['bench/echo-server.mjs']);
  const strict = await serve('strict', 'mode: required');
  const http2Echo = await start(['bench/http2-echo-server.mjs']);
  const logless = await serve('logless', 'mode: required', LOGLESS);
  const tokenless = await serve('tokenless', 'mode: "off"');
  const manyRules = await serve(
    'rules',
    'mode: required',
    LOGLESS,
    await writeManyRules(join(folder, 'many'), 500),
  );
  const peer = options.peer && [await servePeer(false), await servePeer(true)];
  const warm = { ...read, token };
  const another = async (n) => ({ ...read, token: await issuer.mint({ ...bound, jti: `bench-${n}` }) });
  const anyone = await issuer.mint({ scope: 'orders:read', exp });
  const stranger = async () => ({
    ...{ ...read, token: anyone, workload: await domain.issueSvid('/ns/shop/sa/frontend') },
  });
  const elsewhere = (n) => ({ ...warm, path: `/orders/${n}` });
  // `asked` is one request that comes again; `each` makes one that never came before.
  const contenders = [
    { name: 'grpc-js echo, nothing decoded', server: echo, asked: warm },
    { name: 'node:http2 echo, nothing decoded', server: http2Echo, asked: warm },
    { name: 'warm token, allowed', server: logless, asked: warm },
    { name: 'warm token, allowed, decision log on', server: strict, asked: warm },
    { name: 'warm token, allowed, 500 rules', server: manyRules, asked: warm },
    { name: 'no token needed; policy denies', server: tokenless, asked: read },
    { name: 'no token; denied before policy', server: strict, asked: read },
    { name: 'every token new', server: logless, each: another },
    { name: 'every certificate new', server: logless, each: stranger },
    { name: 'every path new', server: logless, each: elsewhere },
    { name: 'every path new, 500 rules', server: manyRules, each: elsewhere },
    ...(peer
      ? [
          { name: 'opa-envoy-plugin verifying the token', server: peer[0], asked: warm },
          { name: 'opa-envoy-plugin, every token new', server: peer[0], each: another },
          { name: 'opa-envoy-plugin, with decision log', server: peer[1], asked: warm },
        ]
      : []),
  ];

  for (const [index, contender] of contenders.entries()) {
    const body = framed(contender.asked ?? (await contender.each(made++)));
    contender.bytes = body.length;
    contender.file = join(folder, `request-${index}.grpc`);
    await writeFile(contender.file, body);
  }

  const measure = async ({ server, each, file }, count) => {
    if (!each) return load(server, { requests: count, body: file, path });
    const bodies = [];
    for (let n = 0; n < Math.ceil(count / EACH); n++) bodies.push(framed(await each(made++)));
    return loadEach(server, bodies);
  };
  for (const contender of contenders) await measure(contender, Math.ceil(requests / 4)); // V8 warms up
  const runs = contenders.map(() => []);
  // Interleaved, so that a noisy minute falls on all of them.
  for (let round = 0; round < rounds; round++)
    for (const [index, contender] of contenders.entries())
      runs[index].push(await measure(contender, requests));

  const results = contenders.map(({ name }, index) => ({
    name,
    bytes: contenders[index].bytes,
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
async function serve(name, token, more = '', policy = { path: join(ROOT, 'policies') }) {
  await writeFile(join(folder, 'example.org.pem'), domain.bundlePem);
  const file = join(folder, `${name}.yaml`);
  await writeFile(
    file,
    `listen: { grpc: "127.0.0.1:0", admin: "off" }
identity: { trust_domains: { example.org: { bundle: ./example.org.pem } } }
token:
  ${token}
  issuers: [{ issuer: "${issuer.url}", audiences: [orders], jwks: discovery, algorithms: [RS256] }]
policy: ${JSON.stringify(policy)}
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
