import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { readConfigApart } from '../../src/cli/config-apart.js';
import { Failure } from '../../src/cli/failure.js';
import { folderOf, removeFolders } from './run-cli.js';

const SCRIPT = new URL('../../dist/cli/config-thread.js', import.meta.url);
const page = readFileSync(new URL('../../docs/config.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/^```yaml\n(# countersign\.yaml.*?)^```$/gms)].map(([, text]) => text!);

afterAll(removeFolders);

test('a thread reads of every example what is read without one', async () => {
  expect(examples.length).toBeGreaterThan(5);
  const files = Object.fromEntries(examples.map((text, n) => [`${n}.yaml`, text]));
  const folder = await folderOf(files);
  for (const name of Object.keys(files)) {
    const file = join(folder, name);
    expect(await readConfigApart(file, SCRIPT)).toStrictEqual(await loadConfig(file, process.env));
  }
}, 60_000);

test('what is wrong with a file is said as it is without a thread, and whose it is to mend', async () => {
  const file = join(await folderOf({ 'bad.yaml': 'workers: 0\nlog: { level: loud }\n' }), 'bad.yaml');
  const said = (await loadConfig(file, {}).catch((error: unknown) => error)) as Error;
  const failure = (await readConfigApart(file, SCRIPT).catch((error: unknown) => error)) as Failure;
  expect(failure).toBeInstanceOf(Failure);
  expect(failure.exitCode).toBe(2);
  expect(failure.message).toBe(said.message);
  expect(failure.message).toContain(`${file}:1:10: workers`);
});

test('a thread that ends without an answer is no configuration', async () => {
  const ends = new URL(`data:text/javascript,${encodeURIComponent('process.exit(3)')}`);
  await expect(readConfigApart('any.yaml', ends)).rejects.toThrow('any.yaml: could not be read: exit 3');
});
