import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where real parts are kept between runs, outside the tree: `$XDG_CACHE_HOME/countersign` or `~/.cache/countersign`. */
export function cacheFolder(name: string): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'countersign', name);
}
