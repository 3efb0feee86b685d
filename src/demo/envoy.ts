import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { envoyBootstrap, type EnvoySetup } from './envoy-config.js';

/** A running Envoy. */
export interface EnvoyProcess {
  /** What it has written to stdout (its access log) and to stderr so far. */
  readonly output: { readonly stdout: string; readonly stderr: string };
  /** Base URL of its admin interface on loopback; undefined when its configuration has none. */
  readonly admin: string | undefined;
  stop(): Promise<void>;
}

/** The one of the demo, with its listeners. */
export interface Envoy extends EnvoyProcess {
  readonly httpPort: number;
  readonly tcpPort: number;
}

/**
 * Starts a real Envoy in front of Countersign and waits until its listeners take connections.
 *
 * @param folder where the bootstrap is written; it stays there for whoever wants to read it
 * @throws Error with Envoy's own last words, when it does not come up within 20 s
 */
export async function startEnvoy(binary: string, folder: string, setup: EnvoySetup): Promise<Envoy> {
  const config = join(folder, 'envoy.json');
  await writeFile(config, JSON.stringify(envoyBootstrap(setup), null, 2));
  const envoy = await spawnEnvoy(binary, config, folder);
  const answer = await fetch(`${envoy.admin}/listeners?format=json`);
  const { listener_statuses: listeners } = (await answer.json()) as ListenerStatuses;
  return { ...envoy, httpPort: port(listeners, 'http'), tcpPort: port(listeners, 'tcp') };
}

/**
 * Starts Envoy on a configuration file and waits until it says that all its clusters and listeners are up.
 *
 * @param folder for its admin address
 * @throws Error with Envoy's own last words, when it does not come up within 20 s
 */
export async function spawnEnvoy(binary: string, config: string, folder: string): Promise<EnvoyProcess> {
  const adminAddressPath = join(folder, 'envoy-admin.txt');
  const child = spawn(
    binary,
    [
      ['-c', config],
      ['--disable-hot-restart'],
      ['--concurrency', '1'],
      ['--log-level', 'info'],
      ['--file-flush-interval-msec', '100'],
      ['--admin-address-path', adminAddressPath],
    ].flat(),
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => (output.stdout += text));
  child.stderr.on('data', (text) => (output.stderr += text));
  let ended: Error | undefined;
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code) => {
      ended ??= new Error(`it ended with ${code}`);
      resolve();
    });
    child.once('error', (error) => {
      ended = error;
      resolve();
    });
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await Promise.race([exited, sleep(3000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))]);
    await exited;
  };

  for (let tries = 0; tries < 200 && ended === undefined; tries++) {
    // Envoy's own words, once its clusters are warm and its listeners take connections.
    if (
      output.stderr.includes('starting main dispatch loop') &&
      output.stderr.includes('all dependencies initialized')
    ) {
      const address = (await readFile(adminAddressPath, 'utf8').catch(() => '')).trim();
      return { output, admin: address === '' ? undefined : `http://${address}`, stop };
    }
    await sleep(100);
  }
  if (ended === undefined) await stop();
  throw new Error(
    `Envoy did not start: ${ended?.message ?? 'not ready after 20 s'}\n${output.stderr.slice(-2000)}`,
  );
}

interface ListenerStatuses {
  listener_statuses: { name: string; local_address: { socket_address: { port_value: number } } }[];
}

function port(statuses: ListenerStatuses['listener_statuses'], name: string): number {
  const found = statuses.find((status) => status.name === name);
  if (found === undefined) throw new Error(`no listener called ${name}`);
  return found.local_address.socket_address.port_value;
}
