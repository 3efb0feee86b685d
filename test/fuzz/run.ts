import { Random } from '../support/random.js';
import type { Target } from './targets.js';

/**
 * Feeds a parser so many inputs. Each has a seed of its own, counted from `seed`, so that the one that failed can be
 * run again alone.
 *
 * @throws Error that names that seed
 */
export function fuzz(name: string, target: Target, { count, seed }: { count: number; seed: number }): void {
  for (let n = 0; n < count; n++) {
    try {
      target(new Random(seed + n));
    } catch (error) {
      throw new Error(`${name}: seed ${seed + n}: ${(error as Error).message}`, { cause: error });
    }
  }
}
