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
  options: Omit<AdminOptions, 'host' | 'port'>,
): Promise<AdminServer | undefined> {
  if (config.listen.admin === 'off') return undefined;
  const address = parseListenAddress(config.listen.admin);
  // The schema took both cases out already.
  if (isFault(address) || !('port' in address)) throw new Failure('listen.admin is not host:port');
  return startAdmin({ ...address, ...options }).catch((error: Error) => {
    throw new Failure(error.message);
  });
}
