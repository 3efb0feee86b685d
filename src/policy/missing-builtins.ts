import type { Builtins } from './builtins/builtin.js';
import { HOST_BUILTINS, REFUSED_BUILTINS } from './builtins/index.js';

/** Those that nobody supplies, each with the reason and the places where there are any to give. */
export function missingBuiltins(
  required: Iterable<string>,
  places: ReadonlyMap<string, readonly string[]> = new Map(),
  supplied: Builtins = HOST_BUILTINS,
): string[] {
  return [...required]
    .filter((name) => !Object.hasOwn(supplied, name))
    .map((name) => {
      const why = Object.hasOwn(REFUSED_BUILTINS, name) ? ` (${REFUSED_BUILTINS[name]})` : '';
      const where = places.get(name) ?? [];
      return `${name}${why}${where.length > 0 ? `, called at ${where.join(', ')}` : ''}`;
    });
}
