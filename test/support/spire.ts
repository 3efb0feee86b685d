import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';
import { agentConfiguration, serverConfiguration } from './spire-configuration.js';
import { spireProgram, whySpireIsMissing, type SpireProgram } from './spire-programs.js';

const run = promisify(execFile);

const START_TIMEOUT_MS = 60_000;

/** `describe`, with the real SPIRE; skipped by name where there is none. */
export function describeSpire(title: string, tests: () => void): void {
  if (whySpireIsMissing === undefined) describe(title, tests);
  else describe.skip(`${title} (skipped: no real SPIRE: ${whySpireIsMissing})`, tests);
}

/** One process of SPIRE that runs until it is told otherwise, with its log kept for when it fails. */
class SpireProcess {
  private log = '';
  private readonly process: ChildProcess;

  constructor(program: SpireProgram, ...args: string[]) {
    this.process = spawn(spireProgram(program), ['run', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
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

  get ended(): boolean {
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
  /** Seconds. SPIRE renews at half of it. */
  readonly ttl?: number;
  /** Names that stand in its certificates beside the SPIFFE ID. */
  readonly dnsNames?: readonly string[];
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
  async register({ path, federatesWith = [], ttl, dnsNames = [], selectors }: SpireEntry): Promise<string> {
    const output = await this.command(
      'entry',
      'create',
      '-output',
      'json',
      ...this.entryFlags(path),
      ...[
        ...(selectors ?? [`unix:uid:${process.getuid!()}`]).flatMap((selector) => ['-selector', selector]),
        ...federatesWith.flatMap((name) => ['-federatesWith', `spiffe://${name}`]),
        ...dnsNames.flatMap((name) => ['-dns', name]),
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

  /** Fetches the other's bundle now, which it does by itself no more often than once a minute. */
  async refreshBundleOf(other: SpireServer): Promise<void> {
    await this.command('federation', 'refresh', '-id', `spiffe://${other.trustDomain}`);
  }

  /** Ends what {@link federateWith} began: the other's bundle goes, and no entry is registered to federate any more. */
  async partFrom(other: SpireServer): Promise<void> {
    const id = ['-id', `spiffe://${other.trustDomain}`];
    await this.command('federation', 'delete', ...id);
    await this.command('bundle', 'delete', ...id, '-mode', 'dissociate');
  }

  /** What its agent shows to it changes with each renewal. @returns the serial number of that certificate */
  async agentSerial(): Promise<string> {
    return JSON.parse(await this.command('agent', 'list', '-output', 'json')).agents[0]
      .x509svid_serial_number;
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
    const { stdout } = await run(spireProgram('spire-server'), [
      ...args,
      '-socketPath',
      join(this.folder, 's'),
    ]);
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

  /** Where it was killed, it comes back with the keys that it had. */
  async revive(): Promise<void> {
    if (this.process?.ended) await this.run();
  }

  async stop(): Promise<void> {
    await this.process?.end();
    await rm(this.folder, { recursive: true, force: true });
  }

  private async run(...args: string[]): Promise<void> {
    this.process = new SpireProcess('spire-agent', '-config', join(this.folder, 'agent.conf'), ...args);
    await this.process.until(() =>
      run(spireProgram('spire-agent'), ['healthcheck', '-socketPath', this.socketPath]),
    );
  }
}
