import { AggregatorRegistry } from 'prom-client';
import type { Snapshot } from './metrics.js';

/** The metrics of several processes as one. */
export interface Aggregate {
  /** The newest of a process; what it leaves out stays as it last was. */
  take(process: unknown, snapshots: readonly Snapshot[]): void;
  /** The process is gone. What it counted stays, so that no sum falls. */
  bury(process: unknown): void;
  /**
   * @param own of the process that supervises the others
   * @returns Prometheus' text exposition format
   */
  text(own: readonly Snapshot[]): Promise<string>;
}

type ByName = Map<string, Snapshot>;

export function createAggregate(): Aggregate {
  const living = new Map<unknown, ByName>();
  let buried: ByName = new Map();

  return {
    take(process, snapshots) {
      let known = living.get(process);
      if (known === undefined) living.set(process, (known = new Map()));
      for (const snapshot of snapshots) known.set(snapshot.name, snapshot);
    },
    bury(process) {
      const last = [...(living.get(process)?.values() ?? [])].filter(accumulates);
      living.delete(process);
      if (last.length === 0) return;
      buried = byName(together([[...buried.values()], last]));
    },
    async text(own) {
      const names = new Set(own.map(({ name }) => name));
      const workers = [buried, ...living.values()].map((known) =>
        // How fresh keys are, which policy is in force: the supervisor knows, and the sum would say nothing.
        [...known.values()].filter((snapshot) => accumulates(snapshot) || ofProcess(snapshot)),
      );
      const all = together([own, ...workers]);
      // What is left out of an aggregate is the supervisor's alone: when it started.
      const rest = own.filter(({ name }) => names.has(name) && !all.some((metric) => metric.name === name));
      return registryOf([...all, ...rest]).metrics();
    },
  };
}

function accumulates({ type }: Snapshot): boolean {
  // Of prom-client's enumeration, which its JSON has as text.
  return ['counter', 'histogram'].includes(String(type));
}

function ofProcess({ name }: Snapshot): boolean {
  return name.startsWith('process_') || name.startsWith('nodejs_');
}

/** How gauges of processes become one, where prom-client's own way (mostly the sum) would say something else. */
const AGGREGATORS: { readonly [name: string]: string } = {
  process_max_fds: 'min',
  process_start_time_seconds: 'omit',
  // One worker that hangs must not vanish in an average.
  nodejs_eventloop_lag_seconds: 'max',
  nodejs_eventloop_lag_mean_seconds: 'max',
  nodejs_eventloop_lag_stddev_seconds: 'max',
  nodejs_eventloop_lag_p50_seconds: 'max',
  nodejs_eventloop_lag_p90_seconds: 'max',
  nodejs_eventloop_lag_p99_seconds: 'max',
};

function together(processes: readonly (readonly Snapshot[])[]): Snapshot[] {
  const told = processes.map((snapshots) =>
    snapshots.map((snapshot) => ({
      ...snapshot,
      aggregator: AGGREGATORS[snapshot.name] ?? snapshot.aggregator ?? 'sum',
    })),
  );
  return AggregatorRegistry.aggregate(told as object[])
    .getMetricsAsArray()
    .map((metric) => metric as unknown as Snapshot);
}

function registryOf(snapshots: readonly Snapshot[]) {
  const registry = AggregatorRegistry.aggregate([]);
  for (const snapshot of snapshots)
    registry.registerMetric({ ...snapshot, get: () => Promise.resolve(snapshot) } as never);
  return registry;
}

function byName(snapshots: readonly Snapshot[]): ByName {
  return new Map(snapshots.map((snapshot) => [snapshot.name, snapshot]));
}
