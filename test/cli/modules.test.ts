import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What stands at the beginning, and what is loaded while the configuration is read. */
const SERVER = ['serve', 'engine', 'workers/supervisor'].map(
  (name) => new URL(`../../dist/cli/${name}.js`, import.meta.url).href,
);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const HOOKS = `import { writeSync } from 'node:fs';
export function load(url, context, next) {
  writeSync(1, url + '\\n');
  return next(url, context);
}`;
const dataUrl = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
const REGISTER = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(HOOKS))});`;

/** Every module that imports load, the packages by their names. */
async function loadedBy(modules: string[]): Promise<{ own: string[]; packages: Set<string> }> {
  const imports = modules.map((url) => `await import(${JSON.stringify(url)});`);
  const program = `${imports.join('\n')} process.exit()`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', dataUrl(REGISTER), '--input-type=module', '--eval', program],
    { cwd: ROOT, env: { ...process.env, NODE_OPTIONS: '' } },
  );
  const urls = stdout.split('\n').filter((line) => line.startsWith('file:'));
  const name = (one: string) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(one)?.[1];
  return {
    own: urls.filter((one) => name(one) === undefined),
    packages: new Set(urls.flatMap((one) => name(one) ?? [])),
  };
}

test('a server loads no library before a configuration or a policy needs it', async () => {
  const { own, packages } = await loadedBy(SERVER);
  expect(own).toEqual(expect.arrayContaining(SERVER));
  // Each one more makes every start slower and every process larger: it should be worth that to every server.
  expect([...packages].sort()).toEqual([
    'commander',
    'lru-cache',
    'oauth4webapi',
    'pino',
    'prom-client',
    'tar-stream',
  ]);
  expect(
    own.filter((url) => url.includes('/policy/builtins/')).map((url) => url.replace(/.*\//, '')),
  ).toEqual(expect.not.arrayContaining(['graphql.js', 'index.js', 'x509.js']));
}, 30_000);
