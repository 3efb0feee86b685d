import { createAggregate } from '../../src/telemetry/aggregate.js';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.js';
import { observe } from './observations.js';

const NONE = { jwks: () => [], trustBundles: () => [], policy: () => undefined };

async function decided(times: number): Promise<Metrics> {
  const metrics = createMetrics('1', NONE);
  for (let n = 0; n < times; n++) metrics.observe(await observe());
  return metrics;
}

/** As it is after its way from another process. */
const snapshot = async (metrics: Metrics, all = true) => structuredClone(await metrics.snapshot(all));

const value = (text: string, line: string) =>
  Number(
    text
      .split('\n')
      .find((one) => one.startsWith(`${line} `))
      ?.slice(line.length + 1),
  );

const DECISIONS = 'countersign_decisions_total{outcome="allow",reason="allowed"}';
const COUNT = 'countersign_decision_duration_seconds_count';

test('counters and histograms of all processes are added up', async () => {
  const own = await decided(0);
  const aggregate = createAggregate();
  aggregate.take('a', await snapshot(await decided(3)));
  aggregate.take('b', await snapshot(await decided(4)));
  const text = await aggregate.text(await own.snapshot(true));
  expect(value(text, DECISIONS)).toBe(7);
  expect(value(text, COUNT)).toBe(7);
  expect(value(text, 'countersign_decision_duration_seconds_bucket{le="+Inf"}')).toBe(7);
});

test('the newest of a process takes the place of what it said before', async () => {
  const metrics = await decided(3);
  const aggregate = createAggregate();
  aggregate.take('a', await snapshot(metrics));
  metrics.observe(await observe());
  aggregate.take('a', await snapshot(metrics, false));
  expect(value(await aggregate.text([]), DECISIONS)).toBe(4);
});

test('what a process counted stays when it is gone, and its memory does not', async () => {
  const own = await decided(0);
  const aggregate = createAggregate();
  const text = async () => aggregate.text(await own.snapshot(true));
  for (const process of ['a', 'b', 'c']) aggregate.take(process, await snapshot(await decided(2)));
  const memory = value(await text(), 'process_resident_memory_bytes');
  aggregate.bury('a');
  aggregate.bury('b');
  aggregate.bury('never there');
  const after = await text();
  expect(value(after, DECISIONS)).toBe(6);
  expect(value(after, COUNT)).toBe(6);
  expect(value(after, 'process_resident_memory_bytes')).toBeLessThan(memory * 0.7);
  // And the sum goes on from there.
  aggregate.take('d', await snapshot(await decided(1)));
  expect(value(await text(), DECISIONS)).toBe(7);
});

test('gauges of what is fetched and in force are those of the supervisor', async () => {
  const jwks = () => [{ issuer: 'i', keys: 3, stale: false }];
  const own = createMetrics('1', { ...NONE, jwks });
  const aggregate = createAggregate();
  aggregate.take('a', await snapshot(createMetrics('1', { ...NONE, jwks })));
  const text = await aggregate.text(await own.snapshot(true));
  expect(value(text, 'countersign_jwks_keys{issuer="i"}')).toBe(3);
  expect(value(text, `countersign_build_info{version="1",node="${process.version}"}`)).toBe(1);
});

test('of the processes, memory is added up, the limit of descriptors is one, the start is the first', async () => {
  const own = await decided(0);
  const aggregate = createAggregate();
  aggregate.take('a', await snapshot(await decided(0)));
  const alone = await own.text();
  const text = await aggregate.text(await own.snapshot(true));
  expect(value(text, 'process_max_fds')).toBe(value(alone, 'process_max_fds'));
  expect(value(text, 'process_start_time_seconds')).toBe(value(alone, 'process_start_time_seconds'));
  expect(value(text, 'process_resident_memory_bytes')).toBeGreaterThan(
    value(alone, 'process_resident_memory_bytes') * 1.5,
  );
});

test('every metric that stands in the text of one process stands in that of several', async () => {
  const own = await decided(1);
  const names = (text: string) => [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name).sort();
  expect(names(await createAggregate().text(await own.snapshot(true)))).toEqual(names(await own.text()));
});

test('a short report has what Countersign counts, and nothing of the process', async () => {
  const names = (await (await decided(1)).snapshot(false)).map(({ name }) => name);
  expect(names).toContain('countersign_decisions_total');
  expect(names.filter((name) => !name.startsWith('countersign_'))).toEqual([]);
});
