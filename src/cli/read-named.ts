import { readFile } from 'node:fs/promises';

/**
 * The text of a file that configuration names.
 *
 * @throws Error that names the file, and nothing of what is in it
 */
export async function readNamed(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${path} cannot be read (${error.code})`, { cause: error });
  });
}
