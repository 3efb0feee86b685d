import { createCell, type Cell } from '../feed/cell.js';
import { sameEntry } from './entry.js';
import type { Revocation } from './types.js';

/**
 * The list is handed to other processes in this many parts, each a feed of its own: a change among 100,000 entries
 * then moves about 1,500 of them, and no part depends on another one.
 */
export const SHARDS = 64;

/** Ids are base64url, so their first character spreads them over 64. */
export function shardOf(id: string): number {
  return Buffer.from(`${id[0]}AAA`, 'base64url')[0]! >> 2;
}

/** Where entries come from: what an operator's file holds, or what was said to a running server. */
export type Layer = 'file' | 'said';

type Shards = readonly Map<string, Revocation>[];
const emptyShards = (): Shards => Array.from({ length: SHARDS }, () => new Map<string, Revocation>());

/** All entries, in the one process that knows them. Others follow through {@link RevocationBook.shards}. */
export class RevocationBook {
  readonly shards: readonly Cell<readonly Revocation[]>[];
  private readonly layers: { readonly [layer in Layer]: Shards } = {
    file: emptyShards(),
    said: emptyShards(),
  };
  private readonly dirty = new Set<number>();
  private count = 0;

  /**
   * @param start runs before the parts have their first state
   */
  constructor(start?: () => Promise<void>) {
    this.shards = Array.from({ length: SHARDS }, () => createCell<readonly Revocation[]>(undefined, start));
  }

  get size(): number {
    return this.count;
  }

  get(layer: Layer, id: string): Revocation | undefined {
    return this.layers[layer][shardOf(id)]!.get(id);
  }

  *entries(layer: Layer): IterableIterator<Revocation> {
    for (const shard of this.layers[layer]) yield* shard.values();
  }

  put(layer: Layer, entry: Revocation): void {
    const number = shardOf(entry.id);
    const shard = this.layers[layer][number]!;
    const there = shard.get(entry.id);
    if (there !== undefined && sameEntry(there, entry)) return;
    if (there === undefined) this.count++;
    shard.set(entry.id, entry);
    this.dirty.add(number);
  }

  remove(layer: Layer, id: string): void {
    const number = shardOf(id);
    if (!this.layers[layer][number]!.delete(id)) return;
    this.count--;
    this.dirty.add(number);
  }

  /** From here on a layer holds these and no others. */
  replace(layer: Layer, entries: ReadonlyMap<string, Revocation>): void {
    for (const { id } of this.entries(layer)) if (!entries.has(id)) this.remove(layer, id);
    for (const entry of entries.values()) this.put(layer, entry);
  }

  /** Takes out what refuses nothing any more. @param now milliseconds since the epoch */
  sweep(now: number): void {
    for (const layer of ['file', 'said'] as const)
      for (const { id, expires } of this.entries(layer))
        if (expires !== undefined && now >= expires * 1000) this.remove(layer, id);
  }

  /** Hands out what changed, all of it at once. The first time, everything. */
  publish(): void {
    const changed = this.shards.flatMap((cell, number) =>
      this.dirty.has(number) || cell.latest() === undefined ? [[cell, number] as const] : [],
    );
    this.dirty.clear();
    const { file, said } = this.layers;
    for (const [cell, number] of changed) cell.set([...file[number]!.values(), ...said[number]!.values()]);
  }
}
