import { randomBytes } from 'node:crypto';
import { chmod, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { createPatch, FILE_HEADERS_ONLY } from 'diff';
import { isRefusal } from '../errors/refusal.js';
import type { RegoSource } from '../rego/source.js';
import { readRegoFolder } from '../rego/folder.js';
import { formatRego } from '../rego/formatter.js';
import { Failure } from './failure.js';

interface FmtOptions {
  list?: boolean;
  diff?: boolean;
  check?: boolean;
}

/** `countersign fmt [DIR|FILE...]` */
export function fmtCommand(): Command {
  return new Command('fmt')
    .description("lay .rego files out as OPA's formatter does")
    .argument('[paths...]', 'folders and files', ['.'])
    .option('-l, --list', 'name the files that would change, and write none')
    .option('-d, --diff', 'show what would change, and write none')
    .option('--check', 'exit with 2 if a file would change, and write none')
    .action(async (paths: string[], options: FmtOptions) => {
      const files = await readAll(paths);
      const formatted = await formatRego(files);
      if (isRefusal(formatted)) throw new Failure(formatted.detail, 2);
      const changed = files.flatMap((file, index) =>
        formatted[index]!.content === file.content ? [] : [{ ...file, formatted: formatted[index]!.content }],
      );
      for (const { path, content, formatted: to } of changed) {
        if (options.diff)
          process.stdout.write(
            createPatch(path, content, to, 'now', 'formatted', { headerOptions: FILE_HEADERS_ONLY }),
          );
        else process.stdout.write(`${path}\n`);
        if (!options.list && !options.diff && !options.check) await replace(path, to);
      }
      if (options.check && changed.length > 0) process.exitCode = 2;
    });
}

/** @throws Failure that names the path which is not there or no policy */
async function readAll(paths: readonly string[]): Promise<RegoSource[]> {
  const found = new Map<string, RegoSource>();
  for (const path of paths) {
    for (const source of await read(path)) found.set(source.path, source);
  }
  return [...found.values()];
}

async function read(path: string): Promise<RegoSource[]> {
  const about = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new Failure(`${path}: cannot be read (${error.code})`, 2);
  });
  if (about.isDirectory()) {
    const sources = await readRegoFolder(path, { tests: true });
    if (isRefusal(sources)) throw new Failure(sources.detail, 2);
    return sources
      .filter((source) => source.path.endsWith('.rego'))
      .map((source) => ({ path: join(path, source.path), content: source.content }));
  }
  if (!path.endsWith('.rego')) throw new Failure(`${path}: not a .rego file`, 2);
  try {
    return [{ path, content: new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path)) }];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Failure(
      `${path}: ${code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'not UTF-8' : `cannot be read (${code})`}`,
      2,
    );
  }
}

/** Whole or not at all, with the mode that it had; where a link leads, the file behind it. */
async function replace(path: string, content: string): Promise<void> {
  const real = await realpath(path);
  const beside = `${real}.${randomBytes(6).toString('hex')}`;
  try {
    const { mode } = await stat(real);
    await writeFile(beside, content, { mode: 0o600, flag: 'wx' });
    // Apart, since the umask takes from the mode of a new file.
    await chmod(beside, mode);
    await rename(beside, real);
  } catch (error) {
    await rm(beside, { force: true });
    throw new Failure(`${path}: cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
}
