import { Command } from 'commander';
import { configJsonSchema } from '../config/json-schema.js';
import { loadConfig } from '../config/load.js';
import { ConfigError } from '../config/problem.js';
import type { Config } from '../config/schema.js';
import { Failure } from './failure.js';

/** `countersign config schema` and `countersign config check`. */
export function configCommand(): Command {
  const command = new Command('config').description('the configuration file');
  command
    .command('schema')
    .description('print its JSON Schema, for editors')
    .action(() => {
      process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
    });
  command
    .command('check')
    .description('say everything that is wrong with a file')
    .argument('<file>')
    .action(async (file: string) => {
      await readConfig(file);
      process.stdout.write(`${file}: no problems\n`);
    });
  return command;
}

/**
 * @throws Failure with all that is wrong with the file
 */
export async function readConfig(file: string): Promise<Config> {
  try {
    return await loadConfig(file, process.env);
  } catch (error) {
    throw error instanceof ConfigError ? new Failure(error.message, 2) : error;
  }
}
