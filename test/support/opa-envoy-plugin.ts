import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cacheFolder } from './cache.js';
import { freePort } from './free-port.js';

const run = promisify(execFile);
const START_TIMEOUT_MS = 20_000;

/**
 * A real opa-envoy-plugin: the binary that `OPA_ENVOY_PLUGIN` names, else the one in the cache folder, else the
 * one on PATH. Where there is none, `describePlugin` skips its tests under a name that says so.
 */
async function findPlugin(): Promise<{ binary: string } | { missing: string }> {
  const named = process.env.OPA_ENVOY_PLUGIN;
  const cached = join(cacheFolder('opa-envoy-plugin'), 'opa-envoy-plugin');
  const binary = named ?? (existsSync(cached) ? cached : 'opa-envoy-plugin');
  return run(binary, ['version']).then(
    () => ({ binary }),
    () => ({
      missing: named === undefined ? 'no binary, name one in OPA_ENVOY_PLUGIN' : `${named} does not run`,
    }),
  );
}

const found = await findPlugin();

/** `describe`, with the real plugin; skipped by name where there is none. */
export function describePlugin(title: string, tests: () => void): void {
  if ('binary' in found) describe(title, tests);
  else describe.skip(`${title} (skipped: no real opa-envoy-plugin: ${found.missing})`, tests);
}

export interface PluginOptions {
  /** Files of Rego. */
  readonly policies: readonly string[];
  /** The rule that decides, as package/rule. */
  readonly path: string;
  readonly protoDescriptor: string;
}

export interface PluginProcess {
  /** `host:port` of its gRPC server. */
  readonly grpc: string;
  stop(): Promise<void>;
}

/** Only to be called inside {@link describePlugin}. */
export async function startPlugin(options: PluginOptions): Promise<PluginProcess> {
  if (!('binary' in found)) throw new Error(found.missing);
  const port = await freePort();
  const plugin = 'plugins.envoy_ext_authz_grpc';
  const child = spawn(
    found.binary,
    [
      'run',
      '--server',
      '--addr=127.0.0.1:0',
      '--skip-version-check',
      '--log-level=error',
      `--set=${plugin}.addr=127.0.0.1:${port}`,
      `--set=${plugin}.path=${options.path}`,
      `--set=${plugin}.proto-descriptor=${options.protoDescriptor}`,
      ...options.policies,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (text: Buffer) => (log += text.toString()));
  for (const end = Date.now() + START_TIMEOUT_MS; !(await answers(port)); await sleep(100)) {
    if (child.exitCode === null && Date.now() < end) continue;
    await ended(child);
    throw new Error(`opa-envoy-plugin does not serve:\n${log}`);
  }
  return { grpc: `127.0.0.1:${port}`, stop: () => ended(child) };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(port, '127.0.0.1');
    probe.once('connect', () => (probe.destroy(), resolve(true)));
    probe.once('error', () => resolve(false));
  });
}
