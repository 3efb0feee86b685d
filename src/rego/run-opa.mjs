/**
 * `node run-opa.mjs COMMAND [background] < request > answer`: runs opa.wasm.br under WASI with neither a file nor the network
 * within reach. Plain JavaScript, because Node itself loads it, from the same place for the built and for the
 * unbuilt sources (see opa-command.ts).
 */
/* global WebAssembly */
import { readdirSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { WASI } from 'node:wasi';
import { brotliDecompressSync } from 'node:zlib';
import { memoryStreams } from './memory-streams.mjs';

// The program ends before optimized machine code would pay for itself: this takes a third of the time and half
// of the memory. It holds for the whole process, which is why the program has one of its own.
setFlagsFromString('--liftoff-only');

/** A third of the time that something as busy beside it gets; alone on a processor it gets all of it. */
const NICE = 5;

if (process.argv[3] === 'background') giveWay();

try {
  const streams = memoryStreams(await readAll(process.stdin));
  const wasi = new WASI({ version: 'preview1', args: ['opa', process.argv[2]], env: {}, returnOnExit: true });
  const { instance } = await WebAssembly.instantiate(
    brotliDecompressSync(readFileSync(new URL('opa.wasm.br', import.meta.url))),
    { wasi_snapshot_preview1: { ...slowCalls(wasi), ...streams.imports(() => instance.exports.memory) } },
  );
  process.exitCode = wasi.start(instance);
  process.stdout.write(streams.stdout());
  process.stderr.write(streams.stderr());
} catch (error) {
  // Without the stack: what failed is told to people who did not write this.
  process.stderr.write(`${error}\n`);
  process.exitCode = 1;
}

/** On Linux each thread has a priority of its own, and those that compile Wasm have started already. */
function giveWay() {
  try {
    for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), NICE);
  } catch {
    // Elsewhere the process has one, or none that may be set.
    try {
      setPriority(NICE);
    } catch {
      /* then it is as urgent as anything */
    }
  }
}

async function readAll(stream) {
  return Buffer.concat(await stream.toArray());
}

/**
 * WASI's functions behind plain ones. Called from Wasm as they are, V8 takes a short cut into them on which
 * a garbage collection kills the process (nodejs/node#46777).
 */
function slowCalls({ wasiImport }) {
  return Object.fromEntries(
    Object.entries(wasiImport).map(([name, call]) => [name, (...values) => call(...values)]),
  );
}
