import { readFile } from 'node:fs/promises';
import { createMetrics } from '../../src/telemetry/metrics.js';
import { brokered } from '../decision/fakes.js';
import { observe } from '../telemetry/observations.js';

const page = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8');

describe('docs/metrics.md', () => {
  test('has a line for every metric of ours, with its type, and for nothing else', async () => {
    const metrics = createMetrics('1', {
      jwks: () => [],
      trustBundles: () => [],
      policy: () => undefined,
      workers: () => [],
    });
    const registered = [...(await metrics.text()).matchAll(/^# TYPE (countersign_\S+) (\S+)$/gm)];
    const written = [...page.matchAll(/^\| `(countersign_\w+)` \| (\w+) \|/gm)];
    const list = (matches: RegExpMatchArray[]) => matches.map(([, name, type]) => `${name} ${type}`).sort();
    expect(registered.length).toBeGreaterThan(10);
    expect(list(written)).toEqual(list(registered));
  });

  test('names the labels that each metric has, and all values of those that have few', async () => {
    const metrics = createMetrics('1', {
      jwks: () => [{ issuer: 'i', keys: 1, stale: false, lastSuccess: 1 }],
      trustBundles: () => [{ trustDomain: 'd', lastSuccess: 1 }],
      workloadApi: () => [{ stream: 'x509_bundles', lastSuccess: 1 }],
      servers: () => [{ askedFor: 'tokens', server: 's', error: undefined }],
      policy: () => ({ revision: 'r', loadedAt: 1 }),
      bundles: () => [{ name: 'b', revision: 'r', lastSuccess: 1 }],
      workers: () => [{ worker: 1, state: 'ready', connections: 1, deaths: 0 }],
    });
    metrics.policy.loaded(1);
    metrics.policy.refused('b', 'bundle_unsigned');
    for (const result of ['updated', 'unchanged', 'failed'] as const) metrics.policy.requested('b', result);
    metrics.observe(await observe());
    metrics.observe(await observe(undefined, brokered));
    const text = await metrics.text();
    const rows = [...page.matchAll(/^\| `(countersign_\w+)` \| \w+ \| (.*?) \|/gm)];
    for (const [, name, column] of rows) {
      const samples = [...text.matchAll(new RegExp(`^${name}(?:_bucket)?(?:\\{(.*)\\})? `, 'gm'))];
      const labels = samples.flatMap(([, list = '']) => [...list.matchAll(/(\w+)="(.*?)"/g)]);
      const real = new Set(labels.map(([, label]) => label!).filter((label) => label !== 'le'));
      // `outcome` (`allow`, `deny`): the values stand in brackets.
      const named = [...column!.replace(/\(.*?\)/g, '').matchAll(/`(\w+)`/g)].map(([, label]) => label);
      expect([name, ...named]).toEqual([name, ...real]);
      for (const [, label, value] of labels)
        if (
          label === 'stage' ||
          label === 'state' ||
          label === 'cause' ||
          label === 'outcome' ||
          label === 'result'
        )
          expect(column).toContain(`\`${value}\``);
    }
  });

  test('speaks in its queries of metrics that there are', async () => {
    const known = new Set([...page.matchAll(/^\| `(countersign_\w+)` \|/gm)].map(([, name]) => name));
    const queries = [...page.matchAll(/```(?:promql|yaml)\n([\s\S]*?)```/g)]
      .map(([, text]) => text!)
      .join('\n');
    const named = [...queries.matchAll(/countersign_\w+/g)].map(([name]) => name.replace(/_bucket$/, ''));
    expect(named.length).toBeGreaterThan(5);
    for (const name of named) expect(known).toContain(name);
  });
});
