import { lstat, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { Failure } from './failure.js';

// The same place from src/cli and from dist/cli.
const TEMPLATE = fileURLToPath(new URL('../../src/cli/init/template', import.meta.url));

/** npm packs no .gitignore, and a dot folder would configure the editor of whoever works on the template. */
const DOTTED = new Set(['gitignore', 'vscode']);

/** `countersign init DIR` */
export function initCommand(): Command {
  return new Command('init')
    .description('write a policy to begin with: rules, their tests, data with its schema, editor settings')
    .argument('<folder>', 'where it goes; made where there is none')
    .action(async (folder: string) => {
      const written = await writeStarter(folder);
      process.stdout.write(`${written.map((file) => `  ${file}`).join('\n')}\n\n${next(folder)}`);
    });
}

/**
 * Writes the starter, all of it or nothing.
 *
 * @returns what was written, as paths with the folder in front
 * @throws Failure that names the file which is there already, or the folder that cannot be written
 */
export async function writeStarter(folder: string): Promise<string[]> {
  const files = await templateFiles();
  for (const { path } of files) {
    const target = join(folder, path);
    if (await exists(target)) throw new Failure(`${target} is there already; nothing was written`);
  }
  for (const { path, content } of files) {
    const target = join(folder, path);
    try {
      await mkdir(dirname(target), { recursive: true });
      // Not even one that came into being since.
      await writeFile(target, content, { flag: 'wx' });
    } catch (error) {
      throw new Failure(`${target} cannot be written (${(error as NodeJS.ErrnoException).code})`);
    }
  }
  return files.map(({ path }) => join(folder, path));
}

async function templateFiles(): Promise<{ path: string; content: Buffer }[]> {
  const paths = await readdir(TEMPLATE, { recursive: true });
  const files = [];
  for (const path of paths.sort()) {
    const file = join(TEMPLATE, path);
    if ((await stat(file)).isFile()) files.push({ path: dotted(path), content: await readFile(file) });
  }
  return files;
}

function dotted(path: string): string {
  const [first, ...rest] = path.split(sep);
  return join(DOTTED.has(first!) ? `.${first}` : first!, ...rest);
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    throw new Failure(`${path} cannot be written (${code})`);
  }
}

function next(folder: string): string {
  return `Now try:
  countersign check ${folder}
  countersign test ${folder}
  countersign explain --policy ${folder} --request 'POST /orders' \\
    --svid spiffe://example.org/ns/shop/sa/frontend --token-claims '{"scope": "orders:read"}'
`;
}
