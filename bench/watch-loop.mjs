// Loaded into a server by --import: measures how long its event loop was held up, and its garbage collections. SIGUSR2 writes
// what was seen since the last one as a line of JSON to the file that WATCH_LOOP names.
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  const RESOLUTION = 1; // milliseconds; the least delay that the histogram can tell
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  let collections = [];
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
    writeFileSync(process.env.WATCH_LOOP, JSON.stringify({ pauses, gc }));
    delay.reset();
    collections = [];
  });
}
