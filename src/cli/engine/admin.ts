import { readFile } from 'node:fs/promises';
import { startAdmin, type AdminOptions, type AdminServer } from '../../admin/http.js';
import { isFault, parseListenAddress } from '../../config/listen-address.js';
import type { Config } from '../../config/schema.js';
import { Failure } from '../failure.js';

/**
 * The operator's HTTP where `listen.admin` says; undefined where it says `off`.
 *
 * @throws Failure where it cannot listen there
 */
export async function listenAdmin(
  config: Config,
  options: Omit<AdminOptions, 'host' | 'port' | 'secret'>,
): Promise<AdminServer | undefined> {
  if (config.listen.admin === 'off') return undefined;
  const address = parseListenAddress(config.listen.admin);
  // The schema took both cases out already.
  if (isFault(address) || !('port' in address)) throw new Failure('listen.admin is not host:port');
  const secret = secretFrom(config.listen.admin_token_file);
  // A secret that cannot be used is found out now, and not by the first who needs it.
  await secret?.().catch((error: Error) => {
    throw new Failure(error.message);
  });
  return startAdmin({ ...address, ...options, secret }).catch((error: Error) => {
    throw new Failure(error.message);
  });
}

/** Characters. `openssl rand -base64 32` writes 44. */
const SHORTEST_SECRET = 32;

/** Read at each use, so that the secret can be changed without a restart. */
function secretFrom(path: string | undefined): (() => Promise<string>) | undefined {
  if (path === undefined) return undefined;
  return async () => {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new Error(`listen.admin_token_file: ${path} cannot be read (${error.code})`);
    });
    const secret = text.trim();
    if (secret.length < SHORTEST_SECRET || !/^[\x21-\x7e]+$/.test(secret))
      throw new Error(
        `listen.admin_token_file: ${path} does not hold ${SHORTEST_SECRET} or more visible characters; write it with openssl rand -base64 32`,
      );
    return secret;
  };
}
