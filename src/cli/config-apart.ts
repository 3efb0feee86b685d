import type { Config } from '../config/schema.js';
import { isRefusal } from '../errors/refusal.js';
import { Failure } from './failure.js';
import { createThread } from './thread.js';

export interface ConfigQuestion {
  readonly file: string;
}

/** `wrong` is the user's to mend, a `defect` is ours. */
export type ConfigReply =
  { readonly config: Config } | { readonly wrong: string } | { readonly defect: string };

/** Milliseconds, and megabytes of JavaScript's own, for one file. */
const PATIENCE = 30_000;
const MOST_MEMORY = 512;

/**
 * What `readConfig` does, in a thread that ends with it. A server reads its configuration once, and what reads YAML and checks it
 * would be a third of all that lives in its heap from then on: each full collection of garbage would go through that.
 *
 * @param script the thread's. Default: the one beside this file.
 * @throws Failure with all that is wrong with the file
 */
export async function readConfigApart(
  file: string,
  script = new URL('./config-thread.js', import.meta.url),
): Promise<Config> {
  const thread = createThread<ConfigQuestion, ConfigReply>({ script, maxMemory: MOST_MEMORY });
  const reply = await thread.ask({ file }, PATIENCE);
  if (isRefusal(reply)) throw new Failure(`${file}: could not be read: ${reply.detail}`);
  thread.end();
  if ('wrong' in reply) throw new Failure(reply.wrong, 2);
  if ('defect' in reply) throw new Error(reply.defect);
  return reply.config;
}
