import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { constants, setPriority, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cacheFolder } from './cache.js';
import { freePort } from './free-port.js';

const run = promisify(execFile);

const VERSION = '1.13.3';
const PACKAGE = 'github.com/spiffe/spire/cmd/spire-server';
const BUILD_TIMEOUT_MS = 15 * 60_000;
const START_TIMEOUT_MS = 60_000;

/**
 * A real SPIRE server: built once with Go into the cache, which takes minutes. Where it can't be had,
 * `describeSpire` skips its tests under a name that says so.
 */
async function obtainSpire(): Promise<{ binary: string } | { missing: string }> {
  const folder = cacheFolder(`spire-${VERSION}`);
  const binary = join(folder, 'spire-server');
  if (existsSync(binary)) return { binary };
  // Its SQLite is C.
  for (const tool of ['go', 'gcc']) {
    const found = await run(tool, tool === 'go' ? ['version'] : ['--version']).catch(() => undefined);
    if (found === undefined) return { missing: `there is no ${tool} on PATH to build it with` };
  }
  const staging = `${folder}.${process.pid}`;
  try {
    await build(staging);
    // Another test file may have built it meanwhile; then its copy serves as well.
    await rename(staging, folder).catch((error) => {
      if (!existsSync(binary)) throw error;
    });
    return { binary };
  } catch (error) {
    return { missing: `go build failed: ${(error as Error).message.split('\n')[0]}` };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Replace directives in SPIRE's go.mod rule out `go install`; a module that requires it may build it. */
async function build(folder: string): Promise<void> {
  const module = await mkdtemp(join(tmpdir(), 'spire-build-'));
  const env = { ...process.env, GOFLAGS: '-mod=mod', CGO_ENABLED: '1' };
  const go = async (...args: string[]) => {
    const building = run('go', args, { cwd: module, env, timeout: BUILD_TIMEOUT_MS });
    // The tests that run beside it have deadlines of their own.
    setPriority(building.child.pid!, constants.priority.PRIORITY_LOW);
    await building;
  };
  try {
    await mkdir(dirname(folder), { recursive: true });
    await writeFile(join(module, 'go.mod'), 'module spire-build\n');
    await go('get', `${PACKAGE}@v${VERSION}`);
    await go('build', '-trimpath', '-ldflags=-s -w', '-o', join(folder, 'spire-server'), PACKAGE);
  } finally {
    await rm(module, { recursive: true, force: true });
  }
}

const obtained = await obtainSpire();

/** `describe`, with the real SPIRE; skipped by name where there is none. */
export function describeSpire(title: string, tests: () => void): void {
  if ('binary' in obtained) describe(title, tests);
  else describe.skip(`${title} (skipped: no real SPIRE: ${obtained.missing})`, tests);
}

/** A SPIRE server with a trust domain of its own, its keys and its data in a temporary folder. */
export class SpireServer {
  private constructor(
    private readonly folder: string,
    private readonly server: ChildProcess,
  ) {}

  /** Only to be called inside {@link describeSpire}. */
  static async start(trustDomain: string): Promise<SpireServer> {
    if (!('binary' in obtained)) throw new Error(obtained.missing);
    // The path of a Unix socket has room for about 100 bytes.
    const folder = await mkdtemp(join(tmpdir(), 'spire-'));
    const config = join(folder, 'server.conf');
    await writeFile(config, configuration(trustDomain, folder, await freePort()));
    const process = spawn(obtained.binary, ['run', '-config', config], { stdio: 'ignore' });
    const server = new SpireServer(folder, process);
    try {
      await server.ready();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** @param format PEM, or the SPIFFE bundle as JSON */
  async bundle(format: 'pem' | 'spiffe'): Promise<string> {
    return this.command('bundle', 'show', '-format', format);
  }

  /** Mints an X509-SVID; its certificates in PEM, the leaf first. */
  async mint(spiffeId: string): Promise<string> {
    await this.command('x509', 'mint', '-spiffeID', spiffeId, '-write', this.folder);
    return readFile(join(this.folder, 'svid.pem'), 'utf8');
  }

  async stop(): Promise<void> {
    if (this.server.exitCode === null && this.server.signalCode === null) {
      const ended = new Promise((resolve) => this.server.once('exit', resolve));
      this.server.kill();
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  private async ready(): Promise<void> {
    for (const end = Date.now() + START_TIMEOUT_MS; ; await sleep(100)) {
      const failure = await this.command('healthcheck').then(
        () => undefined,
        (error: Error) => error,
      );
      if (failure === undefined) return;
      if (this.server.exitCode !== null || Date.now() > end) throw failure;
    }
  }

  private async command(...args: string[]): Promise<string> {
    if (!('binary' in obtained)) throw new Error(obtained.missing);
    const { stdout } = await run(obtained.binary, [...args, '-socketPath', join(this.folder, 's')]);
    return stdout;
  }
}

function configuration(trustDomain: string, folder: string, port: number): string {
  return `
server {
  trust_domain = "${trustDomain}"
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${join(folder, 's')}"
  data_dir = "${folder}"
}
plugins {
  DataStore "sql" {
    plugin_data {
      database_type = "sqlite3"
      connection_string = "${join(folder, 'data.sqlite3')}"
    }
  }
  KeyManager "memory" {
    plugin_data {}
  }
  NodeAttestor "join_token" {
    plugin_data {}
  }
}
`;
}
