import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Bytes that V8 tells of a young generation of two halves of 4 MiB. */
const YOUNG = 2 * 4 * 1024 * 1024;

/**
 * Percent by which the old generation may grow from one full collection to the next (V8 adds 8 MiB at least, and the young
 * generation), and how much of that, in percent, it may have grown by when the next one begins.
 */
const GROWTH = 30;
const FULL = 40;

/**
 * Makes V8's heap that of a server: what it makes for one request is garbage when that is answered. It has to be called
 * before much else runs: V8 gives a young generation that has grown back to nobody.
 */
export function collectAsServer(): void {
  keepYoungGarbageYoung();
  boundYoungGeneration();
  collectOften();
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
 * node:http2 makes a string outside of the heap of each header's value, and V8 makes those old from the start: 800 bytes a
 * request, most of which V8 does not see. All that were made since the last full collection are given back by the next one
 * at a stroke, 100 ns each. Left alone V8 waits for a third of a million requests, and then stands still for a quarter of a second.
 */
function collectOften(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH}`);
  setFlagsFromString(`--incremental-marking-soft-trigger=${FULL}`);
}

/**
 * Halves of 16 MiB would be up to a quarter cheaper, and 45 MB larger (docs/performance.md): the operator has the last word.
 *
 * The young generation may grow to three times 4 MiB, and not to three times 16. V8 reads `--max-semi-space-size` before any of
 * this runs, but by how much it grows each time it asks anew.
 */
function boundYoungGeneration(): void {
  const asked = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
  if (/--m(?:ax|in)[-_]semi[-_]space[-_]size/.test(asked)) return;
  const look = () => {
    const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
    if (young === undefined || young.space_size < YOUNG) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    collections.disconnect();
  };
  const collections = new PerformanceObserver(look);
  collections.observe({ entryTypes: ['gc'] });
}
