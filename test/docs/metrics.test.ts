import { readFile } from 'node:fs/promises';
import { createMetrics } from '../../src/telemetry/metrics.js';

const page = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8');

describe('docs/metrics.md', () => {
  test('has a line for every metric of ours, with its type, and for nothing else', async () => {
    const metrics = createMetrics('1', {
      jwks: () => [],
      trustBundles: () => [],
      policy: () => undefined,
    });
    const registered = [...(await metrics.text()).matchAll(/^# TYPE (countersign_\S+) (\S+)$/gm)];
    const written = [...page.matchAll(/^\| `(countersign_\w+)` \| (\w+) \|/gm)];
    const list = (matches: RegExpMatchArray[]) => matches.map(([, name, type]) => `${name} ${type}`).sort();
    expect(registered.length).toBeGreaterThan(10);
    expect(list(written)).toEqual(list(registered));
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
