import { readFile, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnEnvoy } from '../../src/demo/envoy.js';
import { startUpstream } from '../../src/demo/upstream.js';
import { freePort } from './free-port.js';
import { envoyBinary } from './real-envoy.js';
import { SpireServer, type SpireAgent } from './spire.js';
import { standIn, startWorkloads, type SpireWorkloads } from './spire-workloads.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/spire/', import.meta.url));

/** One trust domain, with an agent. */
interface Side {
  readonly server: SpireServer;
  readonly agent: SpireAgent;
  /** Its workloads that call, all of which are this process. */
  readonly workloads: SpireWorkloads;
}

export interface SpireMeshOptions {
  /** Everything is in it; a short path, since those of Unix sockets have room for about 100 bytes. */
  readonly folder: string;
  /** SPIFFE IDs of the workloads that call: of example.org, and of partner.example. */
  readonly callers: readonly string[];
  /** Seconds that X.509-SVIDs live. Default an hour. */
  readonly ttl?: number;
}

/** The deployment of examples/spire: a shop, and a partner that it federates with, each with SPIRE of its own. */
export interface SpireMesh {
  readonly folder: string;
  /** example.org, in which Envoy and Countersign are. */
  readonly home: Side;
  /** partner.example */
  readonly partner: Side;
  /** What runs Countersign under an SPIFFE ID of its own: Node, under another path. */
  readonly node: string;
  /** Where Countersign is to listen: the port, on loopback. */
  readonly enginePort: number;
  /** The text of the example's file, with the places of this mesh in it. */
  configuration(file: 'countersign.yaml' | 'envoy.yaml'): Promise<string>;
  /** Starts a real Envoy with the example's configuration, before an upstream that echoes. @returns its port */
  startEnvoy(edit?: (configuration: string) => string): Promise<number>;
  stop(): Promise<void>;
}

const NAMES = ['example.org', 'partner.example'] as const;

/** Only to be called where there are a real SPIRE and a real Envoy. */
export async function startSpireMesh({ folder, callers, ttl }: SpireMeshOptions): Promise<SpireMesh> {
  const closers: (() => unknown)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const servers = await startServers(closers);
    const [agents, [node, envoyPath, ownPath]] = await Promise.all([
      Promise.all(servers.map((server) => server.startAgent())),
      programs(folder),
    ]);
    const [home, partner] = servers;
    const register = (server: SpireServer, id: string, program: string, dnsNames: string[] = []) =>
      server.register({
        path: id.replace(/^spiffe:\/\/[^/]+/, ''),
        selectors: [`unix:path:${program}`],
        federatesWith: [(server === home ? partner : home).trustDomain],
        dnsNames,
        ...(ttl !== undefined && { ttl }),
      });
    await register(home, '/ns/shop/sa/countersign', node);
    await register(home, '/ns/shop/sa/orders', envoyPath, ['localhost']);
    const ofDomain = (name: string) => callers.filter((id) => id.startsWith(`spiffe://${name}/`));
    for (const server of servers)
      for (const id of ofDomain(server.trustDomain)) await register(server, id, ownPath);

    const sides = await Promise.all(
      servers.map(async (server, i): Promise<Side> => {
        const agent = agents[i]!;
        const workloads = await startWorkloads(agent.socketPath, ofDomain(server.trustDomain));
        closers.push(() => workloads.stop());
        return { server, agent, workloads };
      }),
    );
    return meshOf(folder, sides as [Side, Side], node, await freePort(), closers, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startServers(closers: (() => unknown)[]): Promise<[home: SpireServer, partner: SpireServer]> {
  const servers = await Promise.all(NAMES.map((name) => SpireServer.start(name, { bundleEndpoint: true })));
  closers.push(() => Promise.all(servers.map((server) => server.stop())));
  const [home, partner] = servers as [SpireServer, SpireServer];
  await Promise.all([home.federateWith(partner), partner.federateWith(home)]);
  return [home, partner];
}

/** What the agents tell workloads apart by: Countersign's path, Envoy's, and that of this process. */
async function programs(folder: string): Promise<[node: string, envoy: string, own: string]> {
  const own = await realpath(process.execPath);
  const node = join(folder, 'countersign');
  await standIn(own, node);
  return [node, await realpath(envoyBinary), own];
}

function meshOf(
  folder: string,
  [home, partner]: [Side, Side],
  node: string,
  enginePort: number,
  closers: (() => unknown)[],
  stop: () => Promise<void>,
): SpireMesh {
  const configuration = async (file: string) =>
    (await readFile(join(EXAMPLE, file), 'utf8'))
      .replaceAll('/run/spire/agent.sock', home.agent.socketPath)
      .replace('grpc: 0.0.0.0:9191', `grpc: 127.0.0.1:${enginePort}`)
      .replace('port_value: 9191', `port_value: ${enginePort}`);
  return {
    folder,
    home,
    partner,
    node,
    enginePort,
    configuration,
    async startEnvoy(edit = (text) => text) {
      const upstream = await startUpstream();
      closers.push(() => upstream.close());
      const port = await freePort();
      const text = (await configuration('envoy.yaml'))
        .replace('address: 0.0.0.0, port_value: 8443', `address: 127.0.0.1, port_value: ${port}`)
        .replace('port_value: 8080', `port_value: ${upstream.port}`);
      const file = join(folder, 'envoy.yaml');
      await writeFile(file, edit(text));
      const envoy = await spawnEnvoy(envoyBinary, file, folder);
      closers.push(() => envoy.stop());
      return port;
    },
    stop,
  };
}
