// node bench/data.mjs [--rounds N] [--requests N] [--swaps N] [--changes N]   (after npm run build)
// What policy data costs: CPU of a decision beside 100 kB and beside 20 MB of data, how long 20 MB take until they decide,
// how long the event loop is held up meanwhile, and what memory is left after many changes.
import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { load, rss } from './h2load.mjs';
import { bundleOf, requestFile, startBench, startServer } from './policy-server.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    requests: { type: 'string', default: '20000' },
    swaps: { type: 'string', default: '5' },
    changes: { type: 'string', default: '1000' },
  },
});
const [rounds, requests, swaps, changes] = ['rounds', 'requests', 'swaps', 'changes'].map((name) =>
  Number(values[name]),
);
const SIZES = { '100 kB': 2_000, '20 MB': 400_000 };

const bench = await startBench();
const servers = [];
try {
  const request = await requestFile(bench);
  const byName = {};
  for (const [name, keys] of Object.entries(SIZES)) {
    byName[name] = await startServer(bench, name.replace(' ', ''), await bundleOf(bench, 'r0', keys));
    servers.push(byName[name]);
  }
  for (const server of servers) await load(server, { ...request, requests: requests / 2 });
  const cpu = Object.fromEntries(Object.keys(SIZES).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const name of Object.keys(SIZES))
      cpu[name].push((await load(byName[name], { ...request, requests })).cpu);
  const ratios = cpu['20 MB'].map((large, round) => large / cpu['100 kB'][round]);
  console.log(`CPU a decision, µs, 100 kB: ${spread(cpu['100 kB'])}; 20 MB: ${spread(cpu['20 MB'])}`);
  console.log(`ratio: ${spread(ratios, 3)}`);

  const large = byName['20 MB'];
  const { throughput } = await load(large, { ...request, requests });
  const rate = Math.floor(throughput / 2);
  for (const [what, changing] of [
    ['nothing changes', false],
    ['20 MB of data change', true],
  ]) {
    await large.loop();
    const driven = load(large, { ...request, requests: rate * 4 * (changing ? swaps : 3), rate });
    const times = [];
    for (let swap = 0; changing && swap < swaps; swap++) {
      const revision = `large-${swap}`;
      times.push(await large.change(revision, await bundleOf(bench, revision, SIZES['20 MB'])));
    }
    await driven;
    const { pauses, own, gc } = await large.loop();
    console.log(`at ${rate} requests/s, ${what}: event loop held up, ms, ${told(pauses)};`);
    console.log(
      `  of that at work itself, p99.9 ${own.p999.toFixed(1)}, longest ${own.max.toFixed(1)}; ${gcTold(gc)}`,
    );
    if (changing) console.log(`  until they decide, ms: ${spread(times)}`);
  }
  console.log(`RSS after that, MB: ${(await rss(large.pid)).toFixed()}`);

  const small = byName['100 kB'];
  const sizes = [];
  for (let change = 0; change < changes; change++) {
    await small.change(`small-${change}`, await bundleOf(bench, `small-${change}`, SIZES['100 kB']));
    if (change % Math.ceil(changes / 10) === 0) sizes.push((await rss(small.pid)).toFixed());
  }
  console.log(`RSS over ${changes} changes of 100 kB, MB: ${sizes.join(' ')}`);
} finally {
  for (const server of servers) server.stop();
  await rm(bench.folder, { recursive: true, force: true });
}

function spread(all, digits = 0) {
  const sorted = all.toSorted((a, b) => a - b);
  return [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
    .map((value) => value.toFixed(digits))
    .join(' / ');
}

function told({ p50, p99, p999, max }) {
  const [a, b, c, d] = [p50, p99, p999, max].map((value) => value.toFixed(1));
  return `p50 ${a}, p99 ${b}, p99.9 ${c}, longest ${d}`;
}

function gcTold({ count, longest }) {
  return `${count} collections, the longest ${longest.toFixed(1)} ms`;
}
