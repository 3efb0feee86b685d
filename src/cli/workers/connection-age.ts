import type { Config } from '../../config/schema.js';
import type { ConnectionAge } from '../../server/connection-age.js';

/** Milliseconds: `auto` where there are several workers. */
const AUTO = 600_000;

/**
 * What `listen.max_connection_age` comes to. A single worker has nothing to spread; where it is one of several
 * replicas, that is for its operator to say.
 *
 * @param several whether there are several workers
 */
export function connectionAge({ listen }: Pick<Config, 'listen'>, several = true): ConnectionAge | undefined {
  const { max_connection_age: age, max_connection_age_grace: grace } = listen;
  if (age === 'off' || (age === 'auto' && !several)) return undefined;
  return { max: age === 'auto' ? AUTO : age, grace };
}
