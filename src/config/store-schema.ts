import { z } from 'zod';
import { check, checkAcross, duration, isMapping, matching, path } from './checks.js';
import { isLoopback } from './location.js';
import type { Fault } from './problem.js';

function urlFault(text: string): Fault | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return { wrong: 'is not a URL', mend: 'write rediss://host:6379' };
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    return { wrong: 'is not the URL of a Valkey or Redis', mend: 'write rediss://host:6379' };
  if (url.username !== '' || url.password !== '')
    return {
      wrong: 'is a URL with a user name or a password',
      mend: 'leave them out, and use username and password_file',
    };
  if (url.hostname === '') return { wrong: 'names no host', mend: 'write rediss://host:6379' };
  if (url.search !== '' || url.hash !== '')
    return { wrong: 'has a query or a fragment', mend: 'leave them out' };
  return undefined;
}

/** Whoever can change what is said on its way lets in again what was revoked. */
function* plainFaults(store: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(store) || typeof store.url !== 'string' || store.plaintext === true) return;
  if (urlFault(store.url) !== undefined) return;
  const { protocol, hostname } = new URL(store.url);
  if (protocol === 'rediss:' || isLoopback(hostname)) return;
  yield [
    ['url'],
    {
      wrong: 'is without TLS, and of another host',
      mend: 'write rediss://, or set plaintext: true where nobody else is on that network',
    },
  ];
}

/** A Valkey (or Redis, from 6.2 on) that replicas share. */
export const storeSchema = z
  .strictObject({
    url: z
      .string()
      .check(check(urlFault))
      .describe('A Valkey or Redis (6.2 or later): rediss://host:port/database, or redis:// on loopback.'),
    username: z.string().min(1).optional().describe('Of its access control list.'),
    password_file: path('A file with the password, read at each connection.').optional(),
    ca: path("PEM certificates of the authorities that vouch for it, in place of the system's.").optional(),
    plaintext: z
      .boolean()
      .default(false)
      .describe('Whether redis:// may go to another host: nobody else may be on that network then.'),
    prefix: matching(/^[A-Za-z0-9_.:-]{1,100}$/, {
      wrong: 'is no prefix of keys',
      mend: 'write 1 to 100 letters, digits and _ . : -',
    })
      .default('countersign')
      .describe('What its keys begin with: the same for all replicas that share a list.'),
    max_stale: duration(
      '1s',
      '7d',
      '5m',
      'How long the list that is here serves while the store cannot be reached; after that, everything is refused.',
    ),
  })
  .check(checkAcross(plainFaults));
