// What is measured of servers besides the CPU of a request: each gives plain numbers.
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { envoyBootstrap } from '../dist/demo/envoy-config.js';
import { spawnEnvoy } from '../dist/demo/envoy.js';
import { findEnvoy, HOW_TO_GET_ENVOY } from '../dist/demo/find-envoy.js';
import { startUpstream } from '../dist/demo/upstream.js';
import { KEYS } from './contenders.mjs';
import { load, rss } from './h2load.mjs';
import { freePort } from './peer.mjs';
import { bundleOf, requestFile, startBench, startServer } from './policy-server.mjs';
import { path } from './request.mjs';
import { ROOT } from './servers.mjs';
import { percentile, spread } from './spread.mjs';

const run = promisify(execFile);

/** Megabytes that a new server has in memory as it decides so many requests, looked at ten times a second. */
export async function memory(fleet, file, decisions) {
  const BATCHES = 20;
  const server = await fleet.countersign('memory');
  const idle = await rss(server.pid);
  const batches = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    let going = true;
    const seen = [];
    const watching = (async () => {
      while (going) {
        seen.push(await rss(server.pid));
        await sleep(100);
      }
    })();
    await load(server, { requests: Math.ceil(decisions / BATCHES), body: file, path });
    going = false;
    await watching;
    batches.push(spread(seen));
  }
  await server.stop();
  const of = (some) =>
    percentile(
      some.map(({ median }) => median),
      0.5,
    );
  const third = Math.floor(BATCHES / 3);
  return {
    decisions,
    idle,
    ...spread(batches.flatMap(({ min, median, max }) => [min, median, max])),
    // The last third beside the one before.
    growth: of(batches.slice(-third)) / of(batches.slice(-2 * third, -third)),
  };
}

/** Milliseconds from the start of a process to readiness, on a bundle that `countersign build` made. */
export async function readiness(fleet, times) {
  const bundle = join(fleet.folder, 'compiled.tar.gz');
  await run(
    process.execPath,
    ['dist/cli/main.js', 'build', 'policies', '-e', 'mesh/authz/decision', '-o', bundle],
    { cwd: ROOT },
  );
  const all = [];
  for (let n = 0; n < times; n++) {
    const admin = `127.0.0.1:${await freePort()}`;
    const began = performance.now();
    const starting = fleet.countersign('ready', { policy: { path: bundle }, admin });
    while (
      !(await fetch(`http://${admin}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ))
    )
      await sleep(5);
    all.push(performance.now() - began);
    await (await starting).stop();
  }
  return spread(all);
}

/**
 * Puts 20 MB of data in place of 20 MB while a server decides half of what it can: milliseconds until they decide, and the
 * longest that its event loop was at work without a pause, beside the same without any change.
 */
export async function liveData(swaps) {
  const bench = await startBench();
  const server = await startServer(bench, 'live', await bundleOf(bench, 'r0', KEYS.large));
  try {
    const request = await requestFile(bench);
    await load(server, { ...request, requests: 20_000 });
    const { throughput } = await load(server, { ...request, requests: 10_000 });
    const rate = Math.floor(throughput / 2);
    const observed = async (seconds, work) => {
      await server.loop();
      const driven = load(server, { ...request, requests: rate * seconds, rate });
      await work();
      await driven;
      const { own, gc } = await server.loop();
      return { longestWork: own.max, longestCollection: gc.longest };
    };
    const times = [];
    const quiet = await observed(6, () => {});
    const changing = await observed(swaps * 4, async () => {
      for (let swap = 0; swap < swaps; swap++) {
        const revision = `live-${swap}`;
        times.push(await server.change(revision, await bundleOf(bench, revision, KEYS.large)));
      }
    });
    return { rate, live: spread(times), quiet, changing };
  } finally {
    await server.stop();
  }
}

/** Microseconds of one warm decision without gRPC, by what `node bench/stages.mjs --json` says. */
export async function alone() {
  const { stdout } = await run(process.execPath, ['bench/stages.mjs', '--json'], { cwd: ROOT });
  const stages = JSON.parse(stdout);
  const parts = ['decode the CheckRequest', 'facts from it', 'the decision', 'the CheckResponse', 'metrics'];
  const total = (key) => parts.reduce((sum, name) => sum + stages[name][key], 0);
  return { min: total('min'), median: total('median'), max: total('max') };
}

/**
 * What a real Envoy takes for a request with ext_authz and without, at a rate that is well below what it can: both are
 * asked in turns, over one mTLS connection of HTTP/2 each, by a client in Node that does not wait for answers.
 */
export async function throughEnvoy(fleet, { rounds, seconds, rate = 300 }) {
  const binary = await findEnvoy(process.env);
  if (binary === undefined) return { skipped: `no Envoy: ${HOW_TO_GET_ENVOY}` };
  const upstream = await startUpstream();
  const server = await fleet.countersign('behind-envoy');
  const own = await fleet.domain.issueSvid('/ns/shop/sa/orders', { dns: ['localhost'] });
  const write = async (name, text) => {
    await writeFile(join(fleet.folder, name), text, { mode: 0o600 });
    return join(fleet.folder, name);
  };
  const setup = {
    certificate: await write('envoy.pem', own.certPem),
    key: await write('envoy.key', own.keyPem),
    roots: await write('roots.pem', fleet.domain.bundlePem),
    engine: server.address,
    upstreamPort: upstream.port,
  };
  const envoys = {};
  try {
    for (const kind of ['without', 'with']) {
      const bootstrap = envoyBootstrap(setup);
      if (kind === 'without') dropExtAuthz(bootstrap);
      const place = join(fleet.folder, kind);
      await mkdir(place);
      envoys[kind] = await spawnEnvoy(binary, await write(`${kind}.json`, JSON.stringify(bootstrap)), place);
    }
    const headers = { authorization: `Bearer ${await fleet.token()}` };
    const times = { without: [], with: [] };
    for (let round = 0; round < rounds + 1; round++)
      for (const kind of ['without', 'with']) {
        const port = await portOf(envoys[kind]);
        const all = await askAtRate({ port, fleet, headers, rate, seconds: round === 0 ? 1 : seconds });
        if (round > 0) times[kind].push(all); // the first warms up
      }
    const at = (kind, share) => times[kind].map((all) => percentile(all, share));
    const of = (share) => ({
      without: spread(at('without', share)),
      with: spread(at('with', share)),
      added: spread(at('with', share).map((time, round) => time - at('without', share)[round])),
    });
    return { rate, p50: of(0.5), p99: of(0.99) };
  } finally {
    for (const envoy of Object.values(envoys)) await envoy.stop();
    await server.stop();
    await upstream.close();
  }
}

function dropExtAuthz({ static_resources: { listeners } }) {
  for (const { filter_chains: chains } of listeners)
    for (const chain of chains) {
      const kept = (filters) => filters.filter(({ name }) => !name.endsWith('.ext_authz'));
      chain.filters = kept(chain.filters);
      for (const { typed_config: config } of chain.filters)
        if (config.http_filters) config.http_filters = kept(config.http_filters);
    }
}

async function portOf({ admin }) {
  const { listener_statuses: listeners } = await (await fetch(`${admin}/listeners?format=json`)).json();
  return listeners.find(({ name }) => name === 'http').local_address.socket_address.port_value;
}

/** Milliseconds that each request took. */
async function askAtRate({ port, fleet, headers, rate, seconds }) {
  const { frontend, domain } = fleet;
  const session = connect(`https://localhost:${port}`, {
    ca: domain.bundlePem,
    cert: frontend.certPem,
    key: frontend.keyPem,
  });
  const ask = () =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const stream = session.request({ ':path': '/orders/7', ...headers });
      stream.once('response', ({ ':status': status }) => {
        if (status !== 200) reject(new Error(`measured are answers that allow: ${status}`));
      });
      stream.resume();
      stream.once('end', () => resolve(performance.now() - began));
      stream.once('error', reject);
    });
  const all = [];
  const began = performance.now();
  for (let n = 0; n < rate * seconds; n++) {
    const due = began + (n * 1000) / rate;
    if (due > performance.now()) await sleep(due - performance.now());
    all.push(ask());
  }
  const times = await Promise.all(all);
  session.close();
  return times;
}
