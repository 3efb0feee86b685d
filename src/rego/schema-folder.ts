import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { refuse, type Refusal } from '../errors/refusal.js';
import type { RegoSchema } from './checker.js';

/** Where a policy folder keeps its JSON Schemas. */
export const SCHEMA_FOLDER = 'schemas';
const SUFFIX = '.schema.json';

/**
 * Reads the JSON Schemas of a policy folder: every `schemas/**\/NAME.schema.json`. A folder without any is as good.
 * The name keeps them apart from data: `data.json` there would be data.
 */
export async function readRegoSchemas(
  folder: string,
): Promise<readonly RegoSchema[] | Refusal<'rego_folder_invalid'>> {
  const root = join(folder, SCHEMA_FOLDER);
  const found = await readdir(root, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  const names = found.filter((file) => file.endsWith(SUFFIX)).sort();
  try {
    return await Promise.all(
      names.map(async (file) => ({
        name: file.slice(0, -SUFFIX.length).replaceAll('\\', '/'),
        path: `${SCHEMA_FOLDER}/${file.replaceAll('\\', '/')}`,
        content: new TextDecoder('utf-8', { fatal: true }).decode(await readFile(join(root, file))),
      })),
    );
  } catch (error) {
    return refuse('rego_folder_invalid', `${root}: ${(error as Error).message}`);
  }
}
