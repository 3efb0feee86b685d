import { Command } from 'commander';
import { pino } from 'pino';
import { createLog, type Log } from '../telemetry/log.js';
import { readConfigApart } from './config-apart.js';
import type { Engine } from './engine.js';
import { workerCount } from './workers/processors.js';

/** `countersign serve -c FILE` */
export function serveCommand(): Command {
  return new Command('serve')
    .description('answer Envoy, until SIGTERM')
    .requiredOption('-c, --config <file>', 'the configuration file')
    .action(async (options: { config: string }) => {
      // What serves is loaded while a thread reads the file.
      const [config, { startEngine }, { startSupervisor }] = await Promise.all([
        readConfigApart(options.config),
        import('./engine.js'),
        import('./workers/supervisor.js'),
      ]);
      const errors = pino.destination(2);
      const log = createLog(config.log.level, errors);
      endOnDefect(log);
      const size = await workerCount(config);
      const starting =
        size === 1 ? startEngine(config, { log }) : startSupervisor(config, size, { log, errors });
      stopOnSignal(starting, log);
      await starting;
    });
}

/** SIGTERM (an orchestrator) and SIGINT (a terminal) drain; a second one does not wait. */
function stopOnSignal(starting: Promise<Engine>, log: Log): void {
  let stopping = false;
  let running: Engine | undefined;
  starting.then(
    (engine) => (running = engine),
    () => {},
  );
  const stop = () => {
    if (stopping) {
      running?.kill();
      process.exit(130);
    }
    stopping = true;
    // One that fails to start ends the process by itself.
    void starting.then((engine) => engine.stop()).then(() => process.exit(0));
  };
  // Left alone, it would end the process.
  process.on('SIGHUP', () => {
    log.info('SIGHUP: the policy is loaded again; for another configuration, start a new process');
    void starting.then((engine) => engine.reloadPolicy());
  });
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** After an exception that nobody caught nothing is certain: an engine that is gone denies, too. */
function endOnDefect(log: Log): void {
  const end = (error: unknown) => {
    log.fatal({ err: error }, 'a defect in Countersign; it ends here');
    process.exit(70);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
