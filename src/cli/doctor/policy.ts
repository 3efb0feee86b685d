import { access } from 'node:fs/promises';
import { checkClock } from './clock.js';
import type { Examination } from './examine.js';
import { reach } from './reach.js';

/** Where the policy comes from. What is wrong with the policy itself is `countersign check`'s to say. */
export async function checkPolicy(examination: Examination): Promise<void> {
  const { config, locate, notebook, offline } = examination;
  const { path, bundles = {}, services = {} } = config.policy;
  const files = [
    [['policy', 'path'], path] as const,
    ...Object.entries(bundles).map(
      ([name, bundle]) => [['policy', 'bundles', name, 'path'], bundle.path] as const,
    ),
  ];
  for (const [key, file] of files) {
    if (file === undefined) continue;
    const code = await access(file).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code ?? error.name,
    );
    if (code === undefined) continue;
    notebook.add(
      'policy_missing',
      { ...locate(...key), endpoint: file },
      `there is no policy that can be read (${code})`,
      'give the folder of the .rego files, or the bundle; `countersign init` makes one',
    );
  }
  if (offline) return;
  for (const [name, { url, ca }] of Object.entries(services)) {
    const place = { ...locate('policy', 'services', name, 'url'), endpoint: url };
    try {
      const { ahead } = await reach(url, ca);
      notebook.saw(`policy service ${name}: answers`);
      checkClock(notebook, place, ahead);
    } catch (error) {
      notebook.add(
        'policy_service_unreachable',
        place,
        (error as Error).message,
        'check the URL, the roots (ca) and the network between',
      );
    }
  }
}
