import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { policyEvents } from '../../src/cli/policy-events.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { readBundle } from '../../src/policy/bundle.js';
import { mayNeverEnd } from '../../src/policy/never-ending.js';
import { createLog } from '../../src/telemetry/log.js';
import type { PolicyMetrics } from '../../src/telemetry/policy-metrics.js';
import { describeOpa, opa } from '../support/opa.js';
import { compile } from '../support/rego.js';
import { content, policyNamed } from './bundles.js';

const REPLACES = 'decision := replace(input.text, input.old, "x") == "xaxbxcx"';

test('what our compiler makes ends', async () => {
  expect(mayNeverEnd((await compile(REPLACES)).wasm)).toBe(false);
});

describeOpa('what OPA makes may never end', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'countersign-never-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function built(rule: string): Promise<Uint8Array> {
    await writeFile(join(folder, 'test.rego'), `package test\n\n${rule}\n`);
    const { code, output } = await opa(['build', '-t', 'wasm', '-e', 'test/decision', 'test.rego'], folder);
    if (code !== 0) throw new Error(output);
    const bundle = await readBundle(await readFile(join(folder, 'bundle.tar.gz')));
    if (isRefusal(bundle)) throw new Error(bundle.detail);
    return bundle.wasm;
  }

  test('where a rule calls replace, and only there', async () => {
    expect(mayNeverEnd(await built(REPLACES))).toBe(true);
    expect(mayNeverEnd(await built('decision := strings.replace_n({"a": "b"}, input.text) == "b"'))).toBe(
      false,
    );
    expect(mayNeverEnd(await built('decision := true\n\nunused := replace(input.text, "a", "b")'))).toBe(
      false,
    );
  });
});

test('the log warns of it when it is loaded', () => {
  const lines: string[] = [];
  const log = createLog('info', { write: (line: string) => lines.push(line) });
  const metrics = { loaded: () => {} } as unknown as PolicyMetrics;
  const { onEvent } = policyEvents('policy', log, metrics);
  const load = (wasm: Buffer) =>
    onEvent({
      kind: 'loaded',
      name: 'mesh',
      policy: policyNamed('r1'),
      milliseconds: 1,
      contents: new Map([['mesh', content('d', { wasm })]]),
    });
  load(Buffer.from('\u0015opa_strings_replace_n'));
  expect(lines).toHaveLength(1);
  load(Buffer.from('\u0013opa_strings_replace'));
  expect(lines).toHaveLength(3);
  expect(JSON.parse(lines[2]!)).toMatchObject({ bundle: 'mesh' });
  expect(lines[2]).toContain('countersign build');
});
