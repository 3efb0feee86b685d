// Loaded into a server by --import: measures how long its event loop was held up, how much of that the loop itself was at work
// (the rest it waited for a processor, on which others were), and garbage collections. SIGUSR2 writes what was seen since the
// last one as JSON to the file that WATCH_LOOP names. Linux only.
import { readFileSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { setInterval } from 'node:timers';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  const RESOLUTION = 1; // milliseconds; the least delay that the histogram can tell
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  let collections = [];
  let work = [];
  // Nanoseconds that the main thread has run.
  const ran = () => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]);
  let last = ran();
  setInterval(() => {
    const now = ran();
    work.push((now - last) / 1e6);
    last = now;
  }, 2).unref();
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collections.push(duration);
  }).observe({ entryTypes: ['gc'] });
  process.on('SIGUSR2', () => {
    const milliseconds = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION);
    const pauses = {
      p50: milliseconds(delay.percentile(50)),
      p99: milliseconds(delay.percentile(99)),
      p999: milliseconds(delay.percentile(99.9)),
      max: milliseconds(delay.max),
    };
    const gc = { count: collections.length, longest: Math.max(0, ...collections) };
    work.sort((a, b) => a - b);
    const own = { p999: work[Math.floor(work.length * 0.999)] ?? 0, max: work.at(-1) ?? 0 };
    writeFileSync(process.env.WATCH_LOOP, JSON.stringify({ pauses, own, gc }));
    delay.reset();
    collections = [];
    work = [];
  });
}
