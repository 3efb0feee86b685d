import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** `countersign serve` as its own process, as operators run it. */
export interface EngineProcess {
  /** What it was called when it was started. */
  readonly name: string;
  readonly grpc: string;
  readonly admin: string;
  /** Lines of the decision log so far. */
  decisions(): Record<string, unknown>[];
  /** What it wrote to stderr: its operational log. */
  log(): string;
  kill(signal: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
}

/**
 * Starts it and waits until it says that it serves. Rejects with its log when it ends before that.
 *
 * @param node what runs it
 */
export async function startEngine(
  config: string,
  name: string,
  node: string = process.execPath,
): Promise<EngineProcess> {
  const child = spawn(node, [MAIN, 'serve', '-c', config], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => (stdout += text));
  const exited = new Promise<number | NodeJS.Signals>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal!)),
  );
  const { grpc, admin } = await serving(
    child,
    (text) => (stderr += text),
    () => stderr,
  );
  return {
    name,
    grpc,
    admin,
    decisions: () => lines(stdout),
    log: () => stderr,
    kill: (signal) => child.kill(signal),
    exited,
  };
}

function serving(
  child: ChildProcess,
  append: (text: string) => void,
  log: () => string,
): Promise<{ grpc: string; admin: string }> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) =>
      reject(new Error(`the engine ended with ${code} before it served:\n${log()}`)),
    );
    child.stderr!.on('data', (text: Buffer) => {
      append(text.toString());
      const line = lines(log()).find(({ msg }) => msg === 'serving');
      if (line) resolve(line as { grpc: string; admin: string } & typeof line);
    });
  });
}

/** The whole lines of JSON in a text; what is not JSON is none of ours. */
function lines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Record<string, unknown>];
      } catch {
        return [];
      }
    });
}
