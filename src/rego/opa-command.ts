import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

// The same place from src/rego and from dist/rego.
const RUNNER = fileURLToPath(new URL('../../src/rego/run-opa.mjs', import.meta.url));

/** The program came to no answer: opa.wasm.br is missing, memory ran out, or it has a fault. */
export class OpaFailure extends Error {
  override readonly name = 'OpaFailure';
}

/** Milliseconds. The largest of policies take a few seconds; what takes longer never ends. */
const TIMEOUT = 300_000;

let background = false;

/** From now on commands give way to everything else on the machine: for a process that has decisions to make. */
export function runInBackground(): void {
  background = true;
}

/**
 * Runs one command of the Go program in src/rego/opa. It gets a process of its own, half a second long: the
 * event loop stays free for decisions, the 180 MB that the compiler takes are given back, and one that fails
 * takes nothing else with it (docs/decisions/0001-opa-compiler-in-wasi.md).
 *
 * @param command `build`
 * @param request is written as JSON
 * @returns the answer, parsed
 * @throws OpaFailure when there is none
 */
export async function runOpaCommand(command: string, request: unknown): Promise<unknown> {
  // node:wasi is experimental and says so at every start.
  const running = run(
    process.execPath,
    ['--no-warnings', RUNNER, command, background ? 'background' : 'now'],
    {
      // A debugger or a loader meant for this process has no business in that one.
      env: { ...process.env, NODE_OPTIONS: '' },
      maxBuffer: Infinity,
      timeout: TIMEOUT,
      killSignal: 'SIGKILL',
      windowsHide: true,
    },
  );
  // A process that ended early does not read on; what it ended with tells why.
  running.child.stdin?.on('error', () => {});
  running.child.stdin?.end(JSON.stringify(request));
  try {
    return JSON.parse((await running).stdout);
  } catch (error) {
    throw new OpaFailure(describe(error as RunError), { cause: error });
  }
}

/** What execFile adds to an error, where the process had started. */
interface RunError extends Error {
  readonly stderr?: string;
  readonly code?: number | string;
  readonly signal?: string;
}

function describe({ stderr, code, signal, message }: RunError): string {
  const told = stderr?.trim().slice(0, 2000);
  if (told) return told;
  if (signal) return `ended by ${signal}`;
  return code === undefined ? message : `ended with ${code}`;
}
