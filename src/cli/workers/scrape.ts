import type { Aggregate } from '../../telemetry/aggregate.js';
import type { Metrics } from '../../telemetry/metrics.js';
import type { OurWorker } from './worker-process.js';

/** Milliseconds for a worker's answer to a scrape; one that is late is told as it last was. */
const PATIENCE = 1_000;

/** Asks every worker what it has counted, and tells it as one. */
export class Scrape {
  private ids = 0;
  private readonly waiting = new Map<number, () => void>();

  constructor(
    private readonly own: Metrics,
    private readonly aggregate: Aggregate,
    private readonly workers: () => readonly OurWorker[],
  ) {}

  /** What was asked for has come; or the worker is gone, and takes its answers along. */
  attach(worker: OurWorker): void {
    worker.onMessage((message) => {
      if (message.from !== 'metrics') return;
      this.aggregate.take(worker, message.snapshots);
      if (message.id !== undefined) this.waiting.get(message.id)?.();
    });
    worker.onClose(() => this.aggregate.bury(worker));
  }

  async text(): Promise<string> {
    await Promise.all(this.workers().map((worker) => this.ask(worker)));
    return this.aggregate.text(await this.own.snapshot(true));
  }

  private ask(worker: OurWorker): Promise<void> {
    const id = ++this.ids;
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        this.waiting.delete(id);
        resolve();
      };
      const timer = setTimeout(settle, PATIENCE);
      this.waiting.set(id, settle);
      worker.send({ to: 'scrape', id });
    });
  }
}
