import { parentPort } from 'node:worker_threads';
import { loadConfig } from '../config/load.js';
import { ConfigError } from '../config/problem.js';
import type { ConfigQuestion, ConfigReply } from './config-apart.js';

async function answer({ file }: ConfigQuestion): Promise<ConfigReply> {
  try {
    return { config: await loadConfig(file, process.env) };
  } catch (error) {
    if (error instanceof ConfigError) return { wrong: error.message };
    return { defect: (error as Error).stack ?? String(error) };
  }
}

parentPort!.on('message', ({ id, ...question }: ConfigQuestion & { id: number }) => {
  void answer(question).then((reply) => parentPort!.postMessage({ ...reply, id }));
});
