import { readFile } from 'node:fs/promises';
import { Failure } from '../failure.js';

/** Where groups have their numbers (group(5)). Node knows of no other way to ask. */
const GROUPS = '/etc/group';

/**
 * The number of a group.
 *
 * @param group by its name, or by its number
 * @throws Failure for a name that this machine does not know
 */
export async function groupNumber(group: string | number, file = GROUPS): Promise<number> {
  if (typeof group === 'number') return group;
  const text = await readFile(file, 'utf8').catch(() => '');
  for (const line of text.split('\n')) {
    const [name, , number] = line.split(':');
    if (name === group && number !== undefined && /^\d+$/.test(number)) return Number(number);
  }
  throw new Failure(`listen.socket_group: ${file} has no group ${group}; write its number`);
}
