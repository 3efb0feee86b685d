// node bench/workers.mjs [--json] [--rounds N] [--requests N] [--workers 1,2,3]   (after npm run build)
// What a decision costs with several workers: CPU of all processes of a server a request, supervisor included.
import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startIssuer } from '../dist/demo/issuer.js';
import { mintTrustDomain } from '../dist/demo/trust-domain.js';
import { load } from './h2load.mjs';
import { framed, path } from './request.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    requests: { type: 'string', default: '20000' },
    workers: { type: 'string', default: '1,2,3' },
  },
});
const rounds = Number(options.rounds);
const requests = Number(options.requests);
/** As many for all, so that each has connections to share among its workers. */
const CONNECTIONS = 6;

const folder = await mkdtemp(join(tmpdir(), 'countersign-workers-'));
const domain = await mintTrustDomain('example.org');
const issuer = await startIssuer({ audience: 'orders', algorithm: 'RS256' });
const servers = [];
try {
  const frontend = await domain.issueSvid('/ns/shop/sa/frontend');
  const thumbprint = createHash('sha256')
    .update(new X509Certificate(frontend.certPem).raw)
    .digest('base64url');
  const exp = Math.floor(Date.now() / 1000) + 3_500;
  const token = await issuer.mint({ scope: 'orders:read', exp, cnf: { 'x5t#S256': thumbprint } });
  const body = join(folder, 'request.grpc');
  await writeFile(body, framed({ workload: frontend, method: 'GET', path: '/orders/7', token }));

  const contenders = [];
  for (const log of [false, true])
    for (const workers of options.workers.split(',').map(Number))
      contenders.push({ workers, log, server: await serve(workers, log) });
  const measure = ({ server }, count) =>
    load(server, { requests: count, connections: CONNECTIONS, body, path });
  // V8 warms up, in each worker.
  for (const contender of contenders) await measure(contender, Math.ceil((requests * contender.workers) / 2));
  const runs = contenders.map(() => []);
  // Interleaved, so that a noisy minute falls on all of them.
  for (let round = 0; round < rounds; round++)
    for (const [index, contender] of contenders.entries())
      runs[index].push(await measure(contender, requests));

  const first = (log) => contenders.findIndex((contender) => contender.log === log);
  const results = contenders.map(({ workers, log }, index) => ({
    workers,
    log,
    cpu: spread(runs[index].map(({ cpu }) => cpu)),
    ratio: spread(runs[index].map(({ cpu }, round) => cpu / runs[first(log)][round].cpu)),
    throughput: spread(runs[index].map(({ throughput }) => throughput)),
    rss: Math.max(...runs[index].map(({ rss }) => rss)),
  }));
  if (options.json) console.log(JSON.stringify({ cores: cpus().length, rounds, requests, results }, null, 2));
  else console.log(table(results));
} finally {
  for (const child of servers) child.kill('SIGTERM');
  await issuer.close();
  await rm(folder, { recursive: true, force: true });
}

async function serve(workers, log) {
  await writeFile(join(folder, 'example.org.pem'), domain.bundlePem);
  const file = join(folder, `${workers}-${log}.yaml`);
  await writeFile(
    file,
    `listen: { grpc: "127.0.0.1:0", admin: "off" }
identity: { trust_domains: { example.org: { bundle: ./example.org.pem } } }
token:
  issuers: [{ issuer: "${issuer.url}", audiences: [orders], jwks: discovery, algorithms: [RS256] }]
policy: { path: ${JSON.stringify(join(ROOT, 'policies'))} }
decision_log: { enabled: ${log} }
workers: ${workers}
`,
  );
  const child = spawn(process.execPath, ['dist/cli/main.js', 'serve', '-c', file], {
    cwd: ROOT,
    // The decision log goes where it costs nobody anything.
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  servers.push(child);
  return new Promise((resolve, reject) => {
    let output = '';
    child.stderr.on('data', (text) => {
      output += text;
      const address = /"grpc":"([^"]+)"/.exec(output)?.[1];
      const ready = output.match(/"worker ready"/g)?.length ?? 0;
      if (address !== undefined && ready === (workers === 1 ? 0 : workers))
        resolve({ pid: child.pid, address });
    });
    child.once('exit', (code) => reject(new Error(`it ended with ${code}:\n${output}`)));
  });
}

function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return { min: sorted[0], median: sorted[Math.floor(sorted.length / 2)], max: sorted.at(-1) };
}

function table(results) {
  const range = ({ min, median, max }, digits) =>
    `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;
  return [
    '| workers | decision log | CPU µs/request | ratio to one | requests/s | RSS MB, all processes |',
    '|---|---|---|---|---|---|',
    ...results.map(
      ({ workers, log, cpu, ratio, throughput, rss }) =>
        `| ${workers} | ${log ? 'on' : 'off'} | ${range(cpu, 1)} | ${range(ratio, 2)} | ${range(throughput, 0)} | ${rss.toFixed(0)} |`,
    ),
  ].join('\n');
}
