import { formatValue } from '../text.js';
import { equalValues, RegoObject, RegoSet, type RegoValue } from '../value.js';
import { type Builtins, BuiltinError, operand } from './builtin.js';
import { Budget } from './limit.js';
import { occurrences } from './search.js';

/** Vertices in all paths of one result: a small graph has as many paths as 2 to the power of its size. */
const MOST_VERTICES = 500_000;

/** object.subset, graph.reachable_paths */
export const OBJECTS: Builtins = {
  'object.subset'(_, whole, part) {
    const answer = subset(whole, part);
    if (answer !== undefined) return answer;
    if (Array.isArray(whole) && part instanceof RegoSet) return arrayHoldsSet(whole, part);
    throw new BuiltinError('both arguments object.subset must be of the same type or array and set');
  },

  'graph.reachable_paths'(_, graph, initial) {
    const edges = operand(graph, 1, 'object');
    const roots = [...operand(initial, 2, 'array', 'set')];
    const paths = new Paths(edges);
    for (const root of roots) paths.from(root);
    return new RegoSet(paths.found.values());
  },
};

/** Objects within objects, sets and arrays in them too; undefined for two that cannot be held against each other. */
function subset(whole: RegoValue, part: RegoValue): boolean | undefined {
  if (whole instanceof RegoObject && part instanceof RegoObject)
    return [...part].every(([key, item]) => {
      const other = whole.get(key);
      if (other === undefined) return false;
      return subset(other, item) ?? equalValues(other, item);
    });
  if (whole instanceof RegoSet && part instanceof RegoSet)
    return [...part].every((element) => whole.has(element));
  if (Array.isArray(whole) && Array.isArray(part)) {
    const [all, some] = [whole as readonly RegoValue[], part as readonly RegoValue[]];
    return some.length === 0 || occurrences(all, some, equalValues, 1).length > 0;
  }
  return undefined;
}

/**
 * As OPA counts: each element of the array that is in the set, repeated ones again, until as many are found as
 * the set has. Of an empty array nothing is asked, so not even the empty set is found in it.
 */
function arrayHoldsSet(whole: readonly RegoValue[], part: RegoSet): boolean {
  let missing = part.size;
  return whole.some((element) => {
    if (part.has(element)) missing -= 1;
    return missing === 0;
  });
}

class Paths {
  /** By their text, so that each counts once. */
  readonly found = new Map<string, readonly RegoValue[]>();
  private readonly budget = new Budget(MOST_VERTICES, 'graph.reachable_paths: more paths than can be listed');

  constructor(private readonly graph: RegoObject) {}

  from(root: RegoValue): void {
    const edges = this.graph.get(root);
    if (edges === undefined) return;
    const next = vertices(edges);
    if (next.length === 0) this.add([root]);
    for (const neighbour of next) this.extend([root], new Set([formatValue(root)]), neighbour);
  }

  /** A path ends where its next vertex is none of the graph, has no edges, or was on the path already. */
  private extend(path: readonly RegoValue[], seen: ReadonlySet<string>, vertex: RegoValue): void {
    this.budget.spend(path.length);
    const edges = this.graph.get(vertex);
    if (edges === undefined) return this.add(path);
    const longer = [...path, vertex];
    const next = vertices(edges);
    if (next.length === 0) return this.add(longer);
    const reached = new Set(seen).add(formatValue(vertex));
    for (const neighbour of next) {
      if (reached.has(formatValue(neighbour))) this.add(longer);
      else this.extend(longer, reached, neighbour);
    }
  }

  private add(path: readonly RegoValue[]): void {
    this.budget.spend(path.length);
    this.found.set(formatValue(path), path);
  }
}

/** Edges may come as an array or as a set; anything else has none. */
function vertices(edges: RegoValue): readonly RegoValue[] {
  if (edges instanceof RegoSet) return [...edges];
  return Array.isArray(edges) ? (edges as readonly RegoValue[]) : [];
}
