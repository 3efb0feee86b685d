import { toDecimal } from '../../number.js';
import { formatValue } from '../../text.js';
import { equalValues, RegoObject, type RegoNumber, RegoSet, type RegoValue, typeOf } from '../../value.js';
import { BuiltinError } from '../builtin.js';
import { arrayIndex } from './path.js';

/** A value, or one that has been opened to be changed. */
type Slot = RegoValue | Node;

/**
 * A document that is being changed: what an operation passes through is opened once, the rest stays as it is.
 * So a patch takes time by its operations and by what they touch, not by their product with the document.
 */
export class Draft {
  private root: Slot | undefined;

  constructor(document: RegoValue) {
    this.root = document;
  }

  /** Undefined where the whole document has been removed. */
  value(): RegoValue | undefined {
    return this.root === undefined ? undefined : rendered(this.root);
  }

  at(path: readonly RegoValue[]): RegoValue {
    if (path.length === 0) return rendered(this.present());
    return rendered(this.open(path.slice(0, -1)).get(path.at(-1)!));
  }

  insert(path: readonly RegoValue[], value: RegoValue): void {
    if (path.length === 0) this.root = value;
    else this.open(path.slice(0, -1)).insert(path.at(-1)!, value);
  }

  remove(path: readonly RegoValue[]): void {
    if (path.length > 0) return this.open(path.slice(0, -1)).remove(path.at(-1)!);
    this.present();
    this.root = undefined;
  }

  private present(): Slot {
    if (this.root === undefined) throw new BuiltinError('deleted node encountered');
    return this.root;
  }

  private open(path: readonly RegoValue[]): Node {
    let node = opened(this.present());
    this.root = node;
    for (const key of path) {
      const child = opened(node.get(key));
      node.replace(key, child);
      node = child;
    }
    return node;
  }
}

abstract class Node {
  abstract get(key: RegoValue): Slot;
  /** Puts what has been opened where its value was. */
  abstract replace(key: RegoValue, child: Node): void;
  abstract insert(key: RegoValue, value: RegoValue): void;
  abstract remove(key: RegoValue): void;
  abstract value(): RegoValue;
}

class ArrayNode extends Node {
  constructor(private readonly items: Slot[]) {
    super();
  }

  get(key: RegoValue): Slot {
    const item = this.items[arrayIndex(key, this.items.length)];
    if (item === undefined) throw new BuiltinError('path does not exist in array term');
    return item;
  }

  replace(key: RegoValue, child: Node): void {
    this.items[arrayIndex(key, this.items.length)] = child;
  }

  insert(key: RegoValue, value: RegoValue): void {
    const index = arrayIndex(key, this.items.length);
    if (index < 0 || index > this.items.length)
      throw new BuiltinError('index for array insertion out of bounds');
    this.items.splice(index, 0, value);
  }

  remove(key: RegoValue): void {
    const index = arrayIndex(key, this.items.length);
    if (index < 0 || index >= this.items.length)
      throw new BuiltinError('index for array delete out of bounds');
    this.items.splice(index, 1);
  }

  value(): RegoValue {
    return this.items.map(rendered);
  }
}

class ObjectNode extends Node {
  private readonly entries: Map<string, [RegoValue, Slot]>;

  constructor(object: RegoObject) {
    super();
    this.entries = new Map(Array.from(object, ([key, item]) => [identity(key), [key, item]]));
  }

  get(key: RegoValue): Slot {
    return this.entry(key)[1];
  }

  replace(key: RegoValue, child: Node): void {
    this.entry(key)[1] = child;
  }

  insert(key: RegoValue, value: RegoValue): void {
    this.entries.set(identity(key), [key, value]);
  }

  remove(key: RegoValue): void {
    this.entry(key);
    this.entries.delete(identity(key));
  }

  value(): RegoValue {
    return new RegoObject(Array.from(this.entries.values(), ([key, item]) => [key, rendered(item)] as const));
  }

  private entry(key: RegoValue): [RegoValue, Slot] {
    const entry = this.entries.get(identity(key));
    if (entry === undefined) throw new BuiltinError('path does not exist in object term');
    return entry;
  }
}

/** An element of a set goes by its own value, also by the one that it has been given meanwhile. */
class SetNode extends Node {
  private elements: Map<string, Slot>;

  constructor(set: RegoSet) {
    super();
    this.elements = new Map(Array.from(set, (element) => [identity(element), element]));
  }

  get(key: RegoValue): Slot {
    this.settle();
    const element = this.elements.get(identity(key));
    if (element === undefined) throw new BuiltinError('path does not exist in set term');
    return element;
  }

  replace(key: RegoValue, child: Node): void {
    this.elements.set(identity(key), child);
  }

  insert(key: RegoValue, value: RegoValue): void {
    if (!equalValues(key, value)) throw new BuiltinError('set key does not equal value to be inserted');
    this.settle();
    this.elements.set(identity(value), value);
  }

  remove(key: RegoValue): void {
    this.get(key);
    this.elements.delete(identity(key));
  }

  value(): RegoValue {
    return new RegoSet(Array.from(this.elements.values(), rendered));
  }

  private settle(): void {
    const changed = Array.from(this.elements).filter(([, element]) => element instanceof Node);
    for (const [name] of changed) this.elements.delete(name);
    for (const [, element] of changed) {
      const value = rendered(element);
      this.elements.set(identity(value), value);
    }
  }
}

function opened(slot: Slot): Node {
  if (slot instanceof Node) return slot;
  if (slot instanceof RegoObject) return new ObjectNode(slot);
  if (slot instanceof RegoSet) return new SetNode(slot);
  if (Array.isArray(slot)) return new ArrayNode([...(slot as readonly RegoValue[])]);
  throw new BuiltinError('expected composite type');
}

function rendered(slot: Slot): RegoValue {
  return slot instanceof Node ? slot.value() : slot;
}

/** One text for all keys that are equal: numbers may be written in several ways. */
function identity(key: RegoValue): string {
  if (typeOf(key) !== 'number') return formatValue(key);
  const { digits, exponent } = toDecimal(key as RegoNumber);
  return `${digits}e${exponent}`;
}
