import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { Config } from '../../config/schema.js';

export interface ProcessorPorts {
  /** Processors that this process may run on. */
  readonly parallelism: number;
  /** Text of a file of the kernel; undefined where there is none. */
  readonly read: (path: string) => Promise<string | undefined>;
}

const SYSTEM: ProcessorPorts = {
  get parallelism() {
    return availableParallelism();
  },
  read: (path) => readFile(path, 'utf8').catch(() => undefined),
};

/** How many workers `workers` comes to on this machine. */
export async function workerCount({ workers }: Pick<Config, 'workers'>, ports = SYSTEM): Promise<number> {
  return workers === 'auto' ? processors(ports) : workers;
}

/**
 * The processors for this process, a control group's quota of CPU time included: Node 20 does not know of it, and more
 * workers than the quota feeds only make each other wait. Half a processor too many is rounded down: throttling would
 * stop every worker for the rest of each tenth of a second.
 */
async function processors({ parallelism, read }: ProcessorPorts): Promise<number> {
  const groups = ((await read('/proc/self/cgroup')) ?? '').split('\n').map((line) => line.split(':'));
  let least = parallelism;
  for (const [, controllers = '', ...rest] of groups) {
    const path = rest.join(':');
    const quotas =
      controllers === ''
        ? above(path).map((group) => unified(read, join('/sys/fs/cgroup', group)))
        : controllers.split(',').includes('cpu')
          ? above(path).map((group) => legacy(read, join('/sys/fs/cgroup', controllers, group)))
          : [];
    for (const quota of await Promise.all(quotas)) least = Math.min(least, quota ?? least);
  }
  return Math.max(1, Math.floor(least));
}

/** A control group and those that hold it: each may have a quota. In a container the outermost is its own. */
function above(path: string): string[] {
  const groups = [path];
  for (let group = path; group !== '/' && group !== '.' && group !== '';)
    groups.push((group = dirname(group)));
  return groups;
}

/** Version 2: "MAX PERIOD", where MAX may be `max`. */
async function unified(read: ProcessorPorts['read'], group: string): Promise<number | undefined> {
  const [max, period] = ((await read(join(group, 'cpu.max'))) ?? '').trim().split(' ').map(Number);
  return ratio(max, period);
}

/** Version 1, where a quota of -1 is none. */
async function legacy(read: ProcessorPorts['read'], group: string): Promise<number | undefined> {
  const [quota, period] = await Promise.all(
    ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map(async (file) => Number(await read(join(group, file)))),
  );
  return ratio(quota, period);
}

function ratio(quota: number | undefined, period: number | undefined): number | undefined {
  if (quota === undefined || period === undefined || !(quota > 0) || !(period > 0)) return undefined;
  return quota / period;
}
