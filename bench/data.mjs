// node bench/data.mjs [--changes N]   (after npm run build)
// What memory is left after so many changes of 100 kB of policy data.
import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { KEYS } from './contenders.mjs';
import { rss } from './h2load.mjs';
import { bundleOf, startBench, startServer } from './policy-server.mjs';

const { values } = parseArgs({ options: { changes: { type: 'string', default: '1000' } } });
const changes = Number(values.changes);

const bench = await startBench();
let server;
try {
  server = await startServer(bench, 'changing', await bundleOf(bench, 'r0', KEYS.small));
  const sizes = [];
  for (let change = 0; change < changes; change++) {
    const revision = `small-${change}`;
    await server.change(revision, await bundleOf(bench, revision, KEYS.small));
    if (change % Math.ceil(changes / 10) === 0) sizes.push((await rss(server.pid)).toFixed());
  }
  console.log(`RSS over ${changes} changes of 100 kB, MB: ${sizes.join(' ')}`);
} finally {
  server?.stop();
  await rm(bench.folder, { recursive: true, force: true });
}
