// node bench/workers.mjs [--json] [--rounds N] [--requests N] [--workers 1,2,3]   (after npm run build)
// What a decision costs with several workers: CPU of all processes of a server a request, supervisor included.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { load } from './h2load.mjs';
import { path } from './request.mjs';
import { startFleet } from './servers.mjs';
import { spread } from './spread.mjs';

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

const fleet = await startFleet();
try {
  const body = await fleet.warm();

  const contenders = [];
  for (const log of [false, true])
    for (const workers of options.workers.split(',').map(Number))
      contenders.push({
        workers,
        log,
        server: await fleet.countersign(`${workers}-${log}`, { workers, log }),
      });
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
  await fleet.stop();
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
