import { readFile } from 'node:fs/promises';
import { loadConfig } from '../../config/load.js';
import { ConfigError } from '../../config/problem.js';
import type { Config } from '../../config/schema.js';
import type { Environment } from '../../config/variables.js';
import { YamlFile } from '../../config/yaml-file.js';
import { checkBundles } from './bundles.js';
import { checkSettings } from './settings.js';
import { checkEndpoint } from './endpoint.js';
import { checkEnvoy } from './envoy/check.js';
import { locator, Notebook, type Locate } from './finding.js';
import { checkIssuers } from './issuers.js';
import { checkPolicy } from './policy.js';
import { checkSecrets } from './secrets.js';

export interface ExamineOptions {
  /** Files. */
  readonly config: string;
  readonly envoy: readonly string[];
  /** Whether nothing is connected to. */
  readonly offline: boolean;
  readonly env: Environment;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What each check is given. */
export interface Examination {
  readonly config: Config;
  readonly locate: Locate;
  readonly notebook: Notebook;
  readonly offline: boolean;
  readonly now: () => number;
}

/** Looks at all that is given. It changes nothing, and connects only to what the configuration names. */
export async function examine(options: ExamineOptions): Promise<Notebook> {
  const notebook = new Notebook();
  const config = await readConfig(options, notebook);
  if (config !== undefined) {
    const examination = {
      config,
      locate: await locateIn(options.config),
      notebook,
      offline: options.offline,
      now: options.now,
    };
    checkSettings(examination);
    await checkSecrets(examination);
    await checkPolicy(examination);
    await checkBundles(examination);
    await checkIssuers(examination);
    if (!options.offline) await checkEndpoint(examination);
    notebook.saw(
      `${options.config}: ${options.offline ? 'files alone (--offline)' : 'with all that it names'}`,
    );
  }
  // Envoy's side can be looked at without ours; what depends on it is then taken for its default.
  await checkEnvoy(options.envoy, config, notebook);
  return notebook;
}

async function readConfig({ config, env }: ExamineOptions, notebook: Notebook): Promise<Config | undefined> {
  try {
    return await loadConfig(config, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const { file, line, key, wrong, mend } of error.problems) {
      notebook.add('config_invalid', { file, ...(line !== undefined && { line }), key }, wrong, mend);
    }
    return undefined;
  }
}

async function locateIn(name: string): Promise<Locate> {
  const file = YamlFile.parse(name, await readFile(name, 'utf8'));
  return locator(file instanceof YamlFile ? file : undefined, name);
}
