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

/** All entries, in the one process that knows them. Others follow through {@link RevocationBook.shards}. */
export class RevocationBook {
  readonly shards: readonly Cell<readonly Revocation[]>[];
  private readonly layers: { readonly [layer in Layer]: Map<string, Revocation> } = {
    file: new Map(),
    said: new Map(),
  };
  private readonly dirty = new Set<number>();

  /**
   * @param start runs before the parts have their first state
   */
  constructor(start?: () => Promise<void>) {
    this.shards = Array.from({ length: SHARDS }, () => createCell<readonly Revocation[]>(undefined, start));
  }

  get size(): number {
    return this.layers.file.size + this.layers.said.size;
  }

  sizeOf(layer: Layer): number {
    return this.layers[layer].size;
  }

  get(layer: Layer, id: string): Revocation | undefined {
    return this.layers[layer].get(id);
  }

  entries(layer: Layer): IterableIterator<Revocation> {
    return this.layers[layer].values();
  }

  put(layer: Layer, entry: Revocation): void {
    const there = this.layers[layer].get(entry.id);
    if (there !== undefined && sameEntry(there, entry)) return;
    this.layers[layer].set(entry.id, entry);
    this.dirty.add(shardOf(entry.id));
  }

  remove(layer: Layer, id: string): void {
    if (this.layers[layer].delete(id)) this.dirty.add(shardOf(id));
  }

  /** From here on a layer holds these and no others. */
  replace(layer: Layer, entries: ReadonlyMap<string, Revocation>): void {
    for (const id of this.layers[layer].keys()) if (!entries.has(id)) this.remove(layer, id);
    for (const entry of entries.values()) this.put(layer, entry);
  }

  /** Takes out what refuses nothing any more. @param now milliseconds since the epoch */
  sweep(now: number): void {
    for (const layer of ['file', 'said'] as const)
      for (const { id, expires } of this.layers[layer].values())
        if (expires !== undefined && now >= expires * 1000) this.remove(layer, id);
  }

  /** Hands out what changed, all of it at once. The first time, everything. */
  publish(): void {
    const parts = new Map<number, Revocation[]>();
    this.shards.forEach((cell, shard) => {
      if (this.dirty.has(shard) || cell.latest() === undefined) parts.set(shard, []);
    });
    if (parts.size === 0) return;
    for (const layer of Object.values(this.layers))
      for (const entry of layer.values()) parts.get(shardOf(entry.id))?.push(entry);
    this.dirty.clear();
    for (const [shard, entries] of parts) this.shards[shard]!.set(entries);
  }
}
