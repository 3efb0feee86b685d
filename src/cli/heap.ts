import { setFlagsFromString } from 'node:v8';
import type { Worker } from 'node:worker_threads';

/**
 * Percent by which the old generation may grow from one full collection to the next (V8 adds 8 MiB at least, and the young
 * generation), and how much of that, in percent, it may have grown by when the next one begins.
 */
const GROWTH = 60;
const FULL = 20;

/** Whether the young generation is ours to bound. */
let bounding = false;

/**
 * Makes V8's heap that of a server: what it makes for one request is garbage when that is answered. It has to be called
 * before much else runs.
 */
export function collectAsServer(): void {
  keepYoungGarbageYoung();
  keepYoungGenerationSmall();
  collectOften();
  collectAlone();
}

/**
 * To be called with each thread of JavaScript that starts. As V8 makes the thread's heap it puts the factor by which young
 * generations grow back to 2, for all of them.
 */
export function remainAsServer(thread: Worker): void {
  if (!bounding) return;
  const holding = setInterval(stopGrowing, 1);
  thread.once('online', () => {
    clearInterval(holding);
    stopGrowing();
  });
  thread.once('exit', () => clearInterval(holding));
}

/**
 * V8 watches which of a program's allocations live long, and makes those among the old objects from the start. What belongs
 * to a request lives for about as long as it takes to look so at times, and then each request is garbage that only a
 * full collection finds: measured, a quarter of all that is allocated, and a third of the CPU on top.
 */
function keepYoungGarbageYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}

/**
 * It stays as V8 begins it, with halves of 1 MiB. Larger ones are up to a seventh cheaper, and take memory and longer pauses
 * (docs/performance.md): the operator has the last word. V8 reads `--max-semi-space-size` before any of this runs, but by how much
 * the halves grow each time it asks anew.
 */
function keepYoungGenerationSmall(): void {
  const asked = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
  bounding = !/--m(?:ax|in)[-_]semi[-_]space[-_]size/.test(asked);
  if (bounding) stopGrowing();
}

function stopGrowing(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * node:http2 makes a string outside of the heap of each header's value, and V8 makes those old from the start. All that were
 * made since the last full collection are given back by the next one at a stroke, 150 ns each. Left alone V8 waits for a third of
 * a million requests, and then stands still for a quarter of a second.
 */
function collectOften(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH}`);
  setFlagsFromString(`--incremental-marking-soft-trigger=${FULL}`);
}

/**
 * V8 shares its work with threads beside the one that decides. Where there are as few processors as a sidecar has, those that mark
 * take the time from it at a stroke, 20 ms long, that it takes from itself in steps of 1 ms otherwise, and the others are
 * waited for until they get a processor. The work is the same.
 */
function collectAlone(): void {
  for (const work of [
    'concurrent-marking',
    'parallel-scavenge',
    'parallel-compaction',
    'parallel-pointer-update',
  ])
    setFlagsFromString(`--no-${work}`);
}
