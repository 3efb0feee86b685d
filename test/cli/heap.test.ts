import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const HEAP = new URL('../../dist/cli/heap.js', import.meta.url).href;

/** Objects that live for a while, most of them until they are old, beside some that stay. */
const PROGRAM = `
import { PerformanceObserver, constants } from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';
import { Worker } from 'node:worker_threads';
const { collectAsServer, remainAsServer } = await import(${JSON.stringify(HEAP)});
if (process.argv[1] !== 'other') collectAsServer();
let full = 0;
new PerformanceObserver((list) => {
  full += list.getEntries().filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR).length;
}).observe({ entryTypes: ['gc'] });
const stays = [];
const passing = [];
for (let round = 0; round < 400; round++) {
  if (process.argv[1] === 'threads' && round % 100 === 50) {
    const thread = new Worker('setTimeout(() => {}, 50)', { eval: true });
    remainAsServer(thread);
    await new Promise((resolve) => thread.once('exit', resolve));
  }
  for (let n = 0; n < 500; n++) stays.push({ n });
  for (let n = 0; n < 5_000; n++) passing[(round * 5_000 + n) % 50_000] = { round, n, list: [n] };
  await new Promise((resolve) => setImmediate(resolve));
}
const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').space_size;
console.log(JSON.stringify({ young, full, stays: stays.length }));
process.exit();
`;

async function run(how: string, flags: string[] = []): Promise<{ young: number; full: number }> {
  const args = [...flags, '--input-type=module', '--eval', PROGRAM, how];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return JSON.parse(stdout) as { young: number; full: number };
}

describe("a server's heap", () => {
  test('has a young generation that stays small, and is collected before much has gathered', async () => {
    const [server, other] = await Promise.all([run('server'), run('other')]);
    expect(other.young).toBeGreaterThan(16 * 1024 * 1024);
    expect(server.young).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(server.full).toBeGreaterThan(other.full);
  }, 30_000);

  test('stays so when threads start, for whose sake V8 forgets what it was told', async () => {
    const { young } = await run('threads');
    expect(young).toBeLessThanOrEqual(2 * 1024 * 1024);
  }, 30_000);

  test('has the size that the operator asked for, where one did', async () => {
    const { young } = await run('server', ['--max-semi-space-size=8']);
    expect(young).toBe(16 * 1024 * 1024);
  }, 30_000);
});
