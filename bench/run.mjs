// npm run bench [-- --json] [--runs N] [--rounds N] [--requests N] [--seconds N] [--only TEXT] [--quick] [--peer BINARY]
// What a decision costs, beside servers that decide nothing, and beside opa-envoy-plugin where --peer names one that was built
// from its public repository. Writes bench/RESULTS.md, unless it was cut short by --only or --quick.
import { execFile, execFileSync } from 'node:child_process';
import { access, constants, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { NAMES, startContenders } from './contenders.mjs';
import { load, needH2load } from './h2load.mjs';
import { alone, liveData, memory, readiness, throughEnvoy } from './measures.mjs';
import { framed, path } from './request.mjs';
import { markdown } from './results.mjs';
import { ROOT, startFleet } from './servers.mjs';
import { percentile } from './spread.mjs';
import { judge } from './targets.mjs';
import { latenciesAt } from './paced-load.mjs';
import { loadEach } from './varied-load.mjs';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    requests: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    peer: { type: 'string' },
  },
});
const { peer, only, quick } = options;
const settings = {
  rounds: quick ? 1 : Number(options.rounds),
  requests: quick ? 4_000 : Number(options.requests),
  seconds: quick ? 1 : Number(options.seconds),
  decisions: quick ? 100_000 : 1_000_000,
};
/** Of requests that are made one by one there are so many times fewer: a token takes a millisecond to sign. */
const EACH = 4;

await needH2load();
if (peer !== undefined)
  await access(peer, constants.X_OK).catch(() => {
    throw new Error(
      `--peer ${peer}: no such executable file; build cmd/opa-envoy-plugin of its repository with Go`,
    );
  });

const machine = await describeMachine();
const runs = [];
for (let n = 0; n < (quick ? 1 : Number(options.runs)); n++) runs.push(await measureAll());
const report = { machine, settings, runs, targets: judge(runs) };
console.log(options.json ? JSON.stringify(report, null, 2) : markdown(report));
if (!quick && only === undefined) await writeFile(join(ROOT, 'bench/RESULTS.md'), markdown(report));

async function measureAll() {
  const fleet = await startFleet();
  try {
    tell('starting servers');
    const { contenders, stop } = await startContenders(fleet, {
      peer,
      wants: (name) => only === undefined || name.includes(only),
    });
    const results = await measureContenders(fleet, contenders);
    await stop();
    if (only !== undefined) return { contenders: results };
    tell('memory');
    const body = await fleet.warm();
    return {
      contenders: results,
      memory: await memory(fleet, body, settings.decisions),
      ready: (tell('readiness'), await readiness(fleet, quick ? 1 : 5)),
      data: (tell('20 MB of data'), await liveData(quick ? 1 : 3)),
      envoy: (tell('Envoy'), await throughEnvoy(fleet, settings)),
      alone: (tell('stages'), await alone()),
    };
  } finally {
    await fleet.stop();
  }
}

/** Interleaved, so that a noisy minute falls on all of them. */
async function measureContenders(fleet, contenders) {
  const results = {};
  for (const { name, bytes } of contenders)
    results[name] = { bytes, cpu: [], throughput: [], rss: [], latency: [] };
  for (const contender of contenders) {
    tell(`warming up: ${contender.name}`);
    await ask(contender, Math.ceil(settings.requests / 2)); // V8 has compiled what it will by then
  }
  const latency = async ({ server, file }, rate) => {
    const all = await latenciesAt(server, await readFile(file), { rate, seconds: settings.seconds });
    const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => percentile(all, share));
    return { p50, p99, p999 };
  };
  const warm = contenders.find(({ name }) => name === NAMES.WARM);
  for (let round = 0; round < settings.rounds; round++)
    for (const contender of contenders) {
      tell(`round ${round + 1}: ${contender.name}`);
      const result = results[contender.name];
      const { cpu, throughput, rss } = await ask(contender, settings.requests);
      result.cpu.push(cpu);
      result.throughput.push(throughput);
      result.rss.push(rss);
      if (contender.each) continue;
      result.latency.push(await latency(contender, throughput / 2));
      if (contender.name !== NAMES.PEER || warm === undefined) continue;
      (results[NAMES.WARM].latencyAtPeers ??= []).push(await latency(warm, throughput / 2));
    }
  for (const result of Object.values(results)) if (result.latency.length === 0) delete result.latency;
  return results;
}

async function ask({ server, each, file }, count) {
  if (each === undefined) return load(server, { requests: count, body: file, path });
  const bodies = [];
  for (let n = 0; n < Math.ceil(count / EACH); n++) bodies.push(framed(await each()));
  return loadEach(server, bodies);
}

function tell(what) {
  process.stderr.write(`${what}\n`);
}

async function describeMachine() {
  const h2load = execFileSync('h2load', ['--version'], { encoding: 'utf8' }).trim();
  const about = { cpu: cpus()[0].model, cores: cpus().length, node: process.version, h2load };
  if (peer === undefined) return about;
  const { stdout } = await promisify(execFile)(peer, ['version']);
  return { ...about, peer: /Version: (\S+)/.exec(stdout)?.[1] ?? 'of an unknown version' };
}
