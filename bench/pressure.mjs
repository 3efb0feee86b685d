// node bench/pressure.mjs [--seconds N]   (after npm run build)
// The latency of requests at half of what the server can, in quiet, and while its policy's data changes all the time and
// its keys are fetched every second.
import { readFile, rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startIssuer } from '../dist/demo/issuer.js';
import { load } from './h2load.mjs';
import { latenciesAt } from './paced-load.mjs';
import { bundleOf, requestFile, startBench, startServer } from './policy-server.mjs';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' } } });
const seconds = Number(values.seconds);
const EDGES = [0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, Infinity]; // milliseconds
const KEYS = 20_000; // 1 MB: laid out in a thread

const bench = await startBench();
const issuer = await startIssuer({ audience: 'orders', algorithm: 'RS256' });
let server;
try {
  const request = await requestFile(bench, await issuer.mint({ scope: 'orders:read' }));
  const token = `token:
  mode: required
  issuers: [{ issuer: "${issuer.url}", audiences: [orders], jwks: discovery, algorithms: [RS256], jwks_refresh: 1s }]`;
  server = await startServer(bench, 'pressure', await bundleOf(bench, 'r0', KEYS), token);
  for (let round = 0; round < 2; round++) await load(server, { ...request, requests: 20_000 });
  const { throughput } = await load(server, { ...request, requests: 20_000 });
  const rate = Math.floor(throughput / 2);
  console.log(`half of what it can: ${rate} requests/s, ${seconds} s each`);
  for (const [what, storm] of [
    ['in quiet', false],
    ['data change one upon the other', true],
  ]) {
    await server.loop();
    let changes = 0;
    let going = true;
    const changing = (async () => {
      while (storm && going) {
        const revision = `storm-${changes}`;
        await server.change(revision, await bundleOf(bench, revision, KEYS));
        changes++;
      }
    })();
    const all = await latenciesAt(server, await readFile(request.body), { rate, seconds });
    going = false;
    await changing;
    const { pauses, own, gc } = await server.loop();
    all.sort((a, b) => a - b);
    const at = (share) => all[Math.min(all.length - 1, Math.floor(all.length * share))].toFixed(2);
    console.log(`\n${what}${storm ? ` (${changes} changes)` : ''}`);
    console.log(`  latency, ms: p50 ${at(0.5)}, p99 ${at(0.99)}, p99.9 ${at(0.999)}, longest ${at(1)}`);
    console.log(
      `  event loop held up, ms: p99 ${pauses.p99.toFixed(1)}, p99.9 ${pauses.p999.toFixed(1)}, longest ${pauses.max.toFixed(1)}; of that at work itself, longest ${own.max.toFixed(1)}; longest of ${gc.count} collections ${gc.longest.toFixed(1)}`,
    );
    let from = 0;
    for (const edge of EDGES) {
      const until = all.findIndex((value) => value >= edge);
      const end = until === -1 ? all.length : until;
      const share = (end - from) / all.length;
      console.log(
        `  < ${String(edge).padStart(8)} ms ${String(end - from).padStart(8)} ${'#'.repeat(Math.ceil(share * 60))}`,
      );
      from = end;
    }
  }
} finally {
  server?.stop();
  await issuer.close();
  await rm(bench.folder, { recursive: true, force: true });
}
