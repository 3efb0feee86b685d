import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { envoyBootstrap, type EnvoySetup } from './envoy-config.js';

export interface Envoy {
  readonly httpPort: number;
  readonly tcpPort: number;
  /** Base URL of Envoy's own admin interface, on loopback. */
  readonly admin: string;
  /** What it has written to stdout (its access log) and to stderr so far. */
  readonly output: { readonly stdout: string; readonly stderr: string };
  stop(): Promise<void>;
}

/**
 * Starts a real Envoy in front of Countersign and waits until its listeners take connections.
 *
 * @param folder where the bootstrap is written; it stays there for whoever wants to read it
 * @throws Error with Envoy's own last words, when it does not come up within 20 s
 */
export async function startEnvoy(binary: string, folder: string, setup: EnvoySetup): Promise<Envoy> {
  const config = join(folder, 'envoy.json');
  const adminAddressPath = join(folder, 'envoy-admin.txt');
  await writeFile(config, JSON.stringify(envoyBootstrap(setup), null, 2));
  const child = spawn(
    binary,
    [
      '-c',
      config,
      '--disable-hot-restart',
      '--concurrency',
      '1',
      '--log-level',
      'warn',
      '--file-flush-interval-msec',
      '100',
      '--admin-address-path',
      adminAddressPath,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => (output.stdout += text));
  child.stderr.on('data', (text) => (output.stderr += text));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  const stop = async () => {
    child.kill('SIGTERM');
    await Promise.race([exited, sleep(3000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))]);
    await exited;
  };

  try {
    const admin = await Promise.race([ready(adminAddressPath, () => child.exitCode === null), failed]);
    const ports = await listenerPorts(admin);
    return { httpPort: port(ports, 'http'), tcpPort: port(ports, 'tcp'), admin, output, stop };
  } catch (error) {
    if (child.pid !== undefined) await stop();
    throw new Error(`Envoy did not start: ${(error as Error).message}\n${output.stderr.slice(-2000)}`, {
      cause: error,
    });
  }
}

/** Envoy writes its admin address once that is bound; `/ready` answers 200 once the listeners are. */
async function ready(adminAddressPath: string, alive: () => boolean): Promise<string> {
  for (let tries = 0; tries < 200 && alive(); tries++) {
    const address = (await readFile(adminAddressPath, 'utf8').catch(() => '')).trim();
    if (address !== '') {
      const answer = await fetch(`http://${address}/ready`).catch(() => undefined);
      if (answer?.ok) return `http://${address}`;
    }
    await sleep(100);
  }
  throw new Error(alive() ? 'not ready after 20 s' : 'it exited');
}

interface ListenerStatuses {
  listener_statuses: { name: string; local_address: { socket_address: { port_value: number } } }[];
}

async function listenerPorts(admin: string): Promise<ListenerStatuses['listener_statuses']> {
  const answer = await fetch(`${admin}/listeners?format=json`);
  return ((await answer.json()) as ListenerStatuses).listener_statuses;
}

function port(statuses: ListenerStatuses['listener_statuses'], name: string): number {
  const found = statuses.find((status) => status.name === name);
  if (found === undefined) throw new Error(`no listener called ${name}`);
  return found.local_address.socket_address.port_value;
}
