import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { refuse, type Refusal } from '../errors/refusal.js';
import type { RegoSource } from './source.js';

export type RegoFolderRefusal = Refusal<'rego_folder_invalid'>;

export interface RegoFolderOptions {
  /** Whether tests (`*_test.rego`) are read too. Default false: a server has no use for them. */
  readonly tests?: boolean;
}

/**
 * Reads a policy folder: every `.rego`, `data.json`, `data.yaml` and `data.yml` below it, in the order of their
 * paths. Tests are left out unless asked for; dot files and `node_modules` always are. Links are followed as long as they
 * stay in the folder, as those of a mounted ConfigMap do; one that leads out refuses the whole folder, because
 * a policy without one of its files may allow more than it should.
 */
export async function readRegoFolder(
  folder: string,
  { tests = false }: RegoFolderOptions = {},
): Promise<readonly RegoSource[] | RegoFolderRefusal> {
  try {
    const root = await realOf(folder, 'no such folder');
    if (!(await stat(root)).isDirectory()) return refused(`${folder}: not a folder`);
    const sources: RegoSource[] = [];
    await readFolder({ root, shown: folder, tests, sources }, '', []);
    if (!sources.some(({ path }) => path.endsWith('.rego'))) {
      return refused(`${folder}: no .rego file in it${tests ? '' : ', tests aside'}`);
    }
    return sources.sort((a, b) => (a.path < b.path ? -1 : 1));
  } catch (error) {
    if (error instanceof FolderError) return refused(error.message);
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    return refused(message);
  }
}

function refused(detail: string): RegoFolderRefusal {
  return refuse('rego_folder_invalid', detail);
}

/** Ends the walk; becomes a refusal before anyone outside sees it. */
class FolderError extends Error {}

interface Walk {
  readonly root: string;
  /** The folder as it was asked for, for messages. */
  readonly shown: string;
  readonly tests: boolean;
  readonly sources: RegoSource[];
}

/** @param above the real paths of the folders that lead here: one of them again would be a circle. */
async function readFolder(walk: Walk, folder: string, above: readonly string[]): Promise<void> {
  const real = await inside(walk, folder);
  if (above.includes(real)) throw new FolderError(`${join(walk.shown, folder)}: links to a folder around it`);
  for (const name of await readdir(real)) {
    if (name.startsWith('.') || name === 'node_modules') continue;
    const path = folder === '' ? name : `${folder}/${name}`;
    const target = await inside(walk, path);
    if ((await stat(target)).isDirectory()) await readFolder(walk, path, [...above, real]);
    else if (isSource(name, walk.tests))
      walk.sources.push({ path, content: await readText(walk, path, target) });
  }
}

async function inside({ root, shown }: Walk, path: string): Promise<string> {
  const real = await realOf(join(shown, path), 'links to nothing');
  if (real === root || real.startsWith(root.endsWith(sep) ? root : root + sep)) return real;
  throw new FolderError(`${join(shown, path)}: links out of the folder`);
}

async function realOf(path: string, ifMissing: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? new FolderError(`${path}: ${ifMissing}`)
      : error;
  }
}

const DATA = new Set(['data.json', 'data.yaml', 'data.yml']);

function isSource(name: string, tests: boolean): boolean {
  return DATA.has(name) || (name.endsWith('.rego') && (tests || !isTestFile(name)));
}

/** Tests are told by their name alone, as OPA does. */
export function isTestFile(path: string): boolean {
  return path.endsWith('_test.rego');
}

async function readText({ shown }: Walk, path: string, real: string): Promise<string> {
  const bytes = await readFile(real);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new FolderError(`${join(shown, path)}: not UTF-8`);
  }
}
