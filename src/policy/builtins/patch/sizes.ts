import { RegoObject, type RegoValue } from '../../value.js';
import { Budget } from '../limit.js';

/** Values that a patched document may have: a copy of the whole within itself doubles it, line by line. */
const MOST_VALUES = 1_000_000;

/** How many values there are in a document, counted once for each that is shared. */
export class Sizes {
  private readonly known = new WeakMap<object, number>();
  private readonly budget = new Budget(
    MOST_VALUES,
    `json.patch: a document of more than ${MOST_VALUES} values`,
  );

  constructor(document: RegoValue) {
    this.add(document);
  }

  /** @throws LimitError when the document has become too large */
  add(value: RegoValue): void {
    this.budget.spend(this.of(value));
  }

  private of(value: RegoValue): number {
    if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) return 1;
    const known = this.known.get(value);
    if (known !== undefined) return known;
    let size = 1;
    if (value instanceof RegoObject) for (const [key, item] of value) size += this.of(key) + this.of(item);
    else for (const item of value) size += this.of(item);
    this.known.set(value, size);
    return size;
  }
}
