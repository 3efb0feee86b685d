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
const PROGRAMS = ['spire-server', 'spire-agent'] as const;
const packageOf = (program: string) => `github.com/spiffe/spire/cmd/${program}`;
const BUILD_TIMEOUT_MS = 15 * 60_000;
const START_TIMEOUT_MS = 60_000;

/**
 * A real SPIRE, server and agent: built once with Go into the cache, which takes minutes. Where it can't be had,
 * `describeSpire` skips its tests under a name that says so.
 */
async function obtainSpire(): Promise<{ folder: string } | { missing: string }> {
  const folder = cacheFolder(`spire-${VERSION}-agent`);
  const isThere = () => PROGRAMS.every((program) => existsSync(join(folder, program)));
  if (isThere()) return { folder };
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
      if (!isThere()) throw error;
    });
    return { folder };
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
    await go('get', ...PROGRAMS.map((program) => `${packageOf(program)}@v${VERSION}`));
    for (const program of PROGRAMS)
      await go('build', '-trimpath', '-ldflags=-s -w', '-o', join(folder, program), packageOf(program));
  } finally {
    await rm(module, { recursive: true, force: true });
  }
}

const obtained = await obtainSpire();

function pathOf(program: (typeof PROGRAMS)[number]): string {
  if ('missing' in obtained) throw new Error(obtained.missing);
  return join(obtained.folder, program);
}

/** `describe`, with the real SPIRE; skipped by name where there is none. */
export function describeSpire(title: string, tests: () => void): void {
  if ('folder' in obtained) describe(title, tests);
  else describe.skip(`${title} (skipped: no real SPIRE: ${obtained.missing})`, tests);
}

/** One process of SPIRE that runs until it is told otherwise, with its log kept for when it fails. */
class SpireProcess {
  private log = '';
  private readonly process: ChildProcess;

  constructor(program: (typeof PROGRAMS)[number], ...args: string[]) {
    this.process = spawn(pathOf(program), ['run', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (text: Buffer) => (this.log = (this.log + text.toString()).slice(-4_000));
    this.process.stdout!.on('data', keep);
    this.process.stderr!.on('data', keep);
  }

  /** Resolves when the check does. @throws Error with the end of the log, when it never did */
  async until(check: () => Promise<unknown>): Promise<void> {
    for (const end = Date.now() + START_TIMEOUT_MS; ; await sleep(100)) {
      const failure = await check().then(
        () => undefined,
        (error: Error) => error,
      );
      if (failure === undefined) return;
      if (this.ended || Date.now() > end) throw new Error(`${failure.message}\n${this.log}`);
    }
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.ended) return;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill(signal);
    await ended;
  }

  private get ended(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }
}

export interface SpireServerOptions {
  /** Whether it serves its bundle to others, by https_spiffe. */
  readonly bundleEndpoint?: boolean;
}

export interface SpireEntry {
  /** With its leading slash. */
  readonly path: string;
  /** Trust domains whose bundles the workload is given. */
  readonly federatesWith?: readonly string[];
  /** Seconds. */
  readonly ttl?: number;
  /** Default: any process of this user. */
  readonly selectors?: readonly string[];
}

/** A SPIRE server with a trust domain of its own, its keys and its data in a temporary folder. */
export class SpireServer {
  private readonly agents: SpireAgent[] = [];

  private constructor(
    readonly trustDomain: string,
    private readonly folder: string,
    private readonly process: SpireProcess,
    private readonly port: number,
    private readonly endpointPort: number,
  ) {}

  /** Only to be called inside {@link describeSpire}. */
  static async start(trustDomain: string, options: SpireServerOptions = {}): Promise<SpireServer> {
    // The path of a Unix socket has room for about 100 bytes.
    const folder = await mkdtemp(join(tmpdir(), 'spire-'));
    const [port, endpointPort] = [await freePort(), await freePort()];
    const config = join(folder, 'server.conf');
    const endpoint = options.bundleEndpoint ? endpointPort : undefined;
    await writeFile(config, serverConfiguration(trustDomain, folder, port, endpoint));
    const process = new SpireProcess('spire-server', '-config', config);
    const server = new SpireServer(trustDomain, folder, process, port, endpointPort);
    try {
      await process.until(() => server.command('healthcheck'));
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Where it serves its bundle, and as whom. */
  get bundleEndpoint(): { url: string; spiffeId: string } {
    return {
      url: `https://127.0.0.1:${this.endpointPort}/`,
      spiffeId: `spiffe://${this.trustDomain}/spire/server`,
    };
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

  /** Starts an agent of this server, which goes when the server does. */
  async startAgent(): Promise<SpireAgent> {
    const token = /Token: (\S+)/.exec(
      await this.command('token', 'generate', '-spiffeID', this.agentId),
    )![1]!;
    const bundle = join(this.folder, 'bootstrap.pem');
    await writeFile(bundle, await this.bundle('pem'));
    const agent = await SpireAgent.start(this.trustDomain, this.port, bundle, token);
    this.agents.push(agent);
    return agent;
  }

  /** Registers a workload with every agent of this server. @returns the id of the entry */
  async register({ path, federatesWith = [], ttl, selectors }: SpireEntry): Promise<string> {
    const output = await this.command(
      'entry',
      'create',
      '-output',
      'json',
      ...this.entryFlags(path),
      ...[
        ...(selectors ?? [`unix:uid:${process.getuid!()}`]).flatMap((selector) => ['-selector', selector]),
        ...federatesWith.flatMap((name) => ['-federatesWith', `spiffe://${name}`]),
        ...(ttl === undefined ? [] : ['-x509SVIDTTL', String(ttl)]),
      ],
    );
    return JSON.parse(output).results[0].entry.id;
  }

  /** Takes back what was registered. */
  async unregister(entryId: string): Promise<void> {
    await this.command('entry', 'delete', '-entryID', entryId);
  }

  /** From now on it fetches the other's bundle, for the workloads that are registered to federate with it. */
  async federateWith(other: SpireServer): Promise<void> {
    const bundle = join(this.folder, `${other.trustDomain}.json`);
    await writeFile(bundle, await other.bundle('spiffe'));
    const { url, spiffeId } = other.bundleEndpoint;
    await this.command(
      ...['federation', 'create', '-trustDomain', other.trustDomain],
      ...['-bundleEndpointURL', url, '-bundleEndpointProfile', 'https_spiffe', '-endpointSpiffeID', spiffeId],
      ...['-trustDomainBundlePath', bundle, '-trustDomainBundleFormat', 'spiffe'],
    );
  }

  /** Puts a further authority into the bundle. Nothing is signed with it yet. @returns its id */
  async prepareAuthority(): Promise<string> {
    const output = await this.command('localauthority', 'x509', 'prepare', '-output', 'json');
    return JSON.parse(output).prepared_authority.authority_id;
  }

  /** From now on the prepared authority signs. @returns the id of the one that did before */
  async activateAuthority(authorityId: string): Promise<string> {
    await this.command('localauthority', 'x509', 'activate', '-authorityID', authorityId);
    const shown = await this.command('localauthority', 'x509', 'show', '-output', 'json');
    return JSON.parse(shown).old.authority_id;
  }

  /** Has everything that the old authority signed replaced, which agents do at their next look. */
  async taintAuthority(authorityId: string): Promise<void> {
    await this.command('localauthority', 'x509', 'taint', '-authorityID', authorityId);
  }

  /** Takes a tainted authority out of the bundle. An agent that has not replaced its own certificate is then lost. */
  async revokeAuthority(authorityId: string): Promise<void> {
    await this.command('localauthority', 'x509', 'revoke', '-authorityID', authorityId);
  }

  async stop(): Promise<void> {
    for (const agent of this.agents) await agent.stop();
    await this.process.end();
    await rm(this.folder, { recursive: true, force: true });
  }

  private get agentId(): string {
    return `spiffe://${this.trustDomain}/agent`;
  }

  private entryFlags(path: string): string[] {
    return ['-parentID', this.agentId, '-spiffeID', `spiffe://${this.trustDomain}${path}`];
  }

  private async command(...args: string[]): Promise<string> {
    const { stdout } = await run(pathOf('spire-server'), [...args, '-socketPath', join(this.folder, 's')]);
    return stdout;
  }
}

/** A SPIRE agent, whose keys are kept so that it can be killed and come back. */
export class SpireAgent {
  private process: SpireProcess | undefined;

  private constructor(private readonly folder: string) {}

  static async start(
    trustDomain: string,
    serverPort: number,
    bundlePath: string,
    joinToken: string,
  ): Promise<SpireAgent> {
    const agent = new SpireAgent(await mkdtemp(join(tmpdir(), 'spire-')));
    const text = agentConfiguration(trustDomain, agent.folder, serverPort, bundlePath);
    await writeFile(join(agent.folder, 'agent.conf'), text);
    try {
      await agent.run('-joinToken', joinToken);
      return agent;
    } catch (error) {
      await agent.stop();
      throw error;
    }
  }

  /** Of the Workload API. */
  get socketPath(): string {
    return join(this.folder, 'a');
  }

  /** Without any chance to say goodbye. */
  async kill(): Promise<void> {
    await this.process?.end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.run();
  }

  async stop(): Promise<void> {
    await this.process?.end();
    await rm(this.folder, { recursive: true, force: true });
  }

  private async run(...args: string[]): Promise<void> {
    this.process = new SpireProcess('spire-agent', '-config', join(this.folder, 'agent.conf'), ...args);
    await this.process.until(() =>
      run(pathOf('spire-agent'), ['healthcheck', '-socketPath', this.socketPath]),
    );
  }
}

function serverConfiguration(
  trustDomain: string,
  folder: string,
  port: number,
  endpointPort?: number,
): string {
  const federation = `
  federation {
    bundle_endpoint {
      address = "127.0.0.1"
      port = ${endpointPort}
      refresh_hint = "2s"
      profile "https_spiffe" {}
    }
  }`;
  return `
server {
  trust_domain = "${trustDomain}"
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${join(folder, 's')}"
  data_dir = "${folder}"
${endpointPort === undefined ? '' : federation}
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

function agentConfiguration(
  trustDomain: string,
  folder: string,
  serverPort: number,
  bundlePath: string,
): string {
  return `
agent {
  trust_domain = "${trustDomain}"
  server_address = "127.0.0.1"
  server_port = "${serverPort}"
  socket_path = "${join(folder, 'a')}"
  data_dir = "${folder}"
  trust_bundle_path = "${bundlePath}"
  experimental {
    sync_interval = "1s"
  }
}
plugins {
  KeyManager "disk" {
    plugin_data {
      directory = "${folder}"
    }
  }
  NodeAttestor "join_token" {
    plugin_data {}
  }
  WorkloadAttestor "unix" {
    plugin_data {}
  }
}
`;
}
