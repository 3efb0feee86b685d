import type { ServerHttp2Session } from 'node:http2';
import { types } from 'node:util';

/**
 * Has node:http2 keep a session's streams in tables that leave nothing behind (docs/decisions/0019-tables-without-a-trail.md).
 *
 * It keeps them in a Map and a Set. Those are copied into a new table whenever they have grown or shrunk, every other request
 * or so where few are under way, and the table that is left points at the one that came after it (for iterators that
 * still stand in it). Once one of them is among the old objects, each later one is kept for its sake, with the streams that
 * were in it, until V8 collects the old generation: a tenth of all that requests leave.
 *
 * The tables are none of node:http2's interface. Where they are not found as they are known, all stays as it was: right, and dearer.
 */
export function leaveNoTrail(session: ServerHttp2Session): void {
  const symbol = Object.getOwnPropertySymbols(session).find(({ description }) => description === 'state');
  const state = symbol && (session as unknown as Record<symbol, Partial<SessionState>>)[symbol];
  if (!state) return;
  const { streams, pendingStreams } = state;
  // Node's own are Maps and Sets, and no instances of what is Map and Set here.
  if (types.isMap(streams) && streams.size === 0) state.streams = new StreamTable();
  if (types.isSet(pendingStreams) && pendingStreams.size === 0) state.pendingStreams = new PendingStreams();
}

/** What node:http2 knows of a session, as far as it is told of here. */
interface SessionState {
  /** By their ids, those that have begun. */
  streams: Map<number, object>;
  /** Those that have no id yet. */
  pendingStreams: Set<object>;
}

/** Ids of a client's streams are odd and grow by two (RFC 9113 section 5.1.1): they fall into one place after the other. */
const SMALLEST = 64;
const NONE = -1;

/**
 * A Map by ids of streams: open addressing over two arrays, which grow when half of their places are taken. Its order is that of the
 * places. It is a whole Map, so that it does not matter what of one node:http2 uses.
 */
export class StreamTable<Stream extends object> implements Map<number, Stream> {
  size = 0;
  private ids: number[] = new Array<number>(SMALLEST).fill(NONE);
  private streams: (Stream | undefined)[] = new Array<undefined>(SMALLEST).fill(undefined);

  get(id: number): Stream | undefined {
    return this.streams[this.placeOf(id)];
  }

  has(id: number): boolean {
    return this.ids[this.placeOf(id)] === id;
  }

  set(id: number, stream: Stream): this {
    const place = this.placeOf(id);
    if (this.ids[place] === NONE) {
      this.ids[place] = id;
      this.size++;
    }
    this.streams[place] = stream;
    if (this.size * 2 > this.ids.length) this.grow();
    return this;
  }

  delete(id: number): boolean {
    let free = this.placeOf(id);
    if (this.ids[free] !== id) return false;
    // Those behind it move up, unless they would stand before the place where they are looked for.
    for (let next = this.after(free); this.ids[next] !== NONE; next = this.after(next))
      if (this.distance(this.home(this.ids[next]!), next) >= this.distance(free, next)) {
        this.ids[free] = this.ids[next]!;
        this.streams[free] = this.streams[next];
        free = next;
      }
    this.ids[free] = NONE;
    this.streams[free] = undefined;
    this.size--;
    return true;
  }

  clear(): void {
    this.ids.fill(NONE);
    this.streams.fill(undefined);
    this.size = 0;
  }

  /** What is deleted meanwhile is left out, as by a Map. */
  forEach(callback: (stream: Stream, id: number, table: Map<number, Stream>) => void, self?: unknown): void {
    for (const [id, stream] of this.entries()) callback.call(self, stream, id, this);
  }

  *entries(): MapIterator<[number, Stream]> {
    const { streams } = this;
    const all = this.ids.flatMap((id, place): [number, Stream][] =>
      id === NONE ? [] : [[id, streams[place]!]],
    );
    for (const entry of all) if (this.get(entry[0]) === entry[1]) yield entry;
  }

  *keys(): MapIterator<number> {
    for (const [id] of this.entries()) yield id;
  }

  *values(): MapIterator<Stream> {
    for (const [, stream] of this.entries()) yield stream;
  }

  [Symbol.iterator](): MapIterator<[number, Stream]> {
    return this.entries();
  }

  get [Symbol.toStringTag](): string {
    return 'StreamTable';
  }

  private home(id: number): number {
    return (id >>> 1) & (this.ids.length - 1);
  }

  private after(place: number): number {
    return (place + 1) & (this.ids.length - 1);
  }

  /** How many places on it is, round the end. */
  private distance(from: number, to: number): number {
    return (to - from) & (this.ids.length - 1);
  }

  /** Where it is, or would be. */
  private placeOf(id: number): number {
    let place = this.home(id);
    while (this.ids[place] !== NONE && this.ids[place] !== id) place = this.after(place);
    return place;
  }

  private grow(): void {
    const { ids, streams } = this;
    const length = ids.length * 2;
    this.ids = new Array<number>(length).fill(NONE);
    this.streams = new Array<undefined>(length).fill(undefined);
    for (const [old, id] of ids.entries()) {
      if (id === NONE) continue;
      const place = this.placeOf(id);
      this.ids[place] = id;
      this.streams[place] = streams[old];
    }
  }
}

/** A Set of few: a client's streams have their ids from the start, and leave it at once. */
export class PendingStreams<Stream extends object> implements Set<Stream> {
  private readonly list: Stream[] = [];

  get size(): number {
    return this.list.length;
  }

  has(stream: Stream): boolean {
    return this.list.includes(stream);
  }

  add(stream: Stream): this {
    if (!this.has(stream)) this.list.push(stream);
    return this;
  }

  delete(stream: Stream): boolean {
    const place = this.list.lastIndexOf(stream);
    if (place === -1) return false;
    const last = this.list.pop()!;
    if (place < this.list.length) this.list[place] = last;
    return true;
  }

  clear(): void {
    this.list.length = 0;
  }

  /** What is deleted meanwhile is left out, as by a Set. */
  forEach(callback: (stream: Stream, again: Stream, set: Set<Stream>) => void, self?: unknown): void {
    for (const stream of this.values()) callback.call(self, stream, stream, this);
  }

  *values(): SetIterator<Stream> {
    for (const stream of [...this.list]) if (this.has(stream)) yield stream;
  }

  keys(): SetIterator<Stream> {
    return this.values();
  }

  *entries(): SetIterator<[Stream, Stream]> {
    for (const stream of this.values()) yield [stream, stream];
  }

  [Symbol.iterator](): SetIterator<Stream> {
    return this.values();
  }

  get [Symbol.toStringTag](): string {
    return 'PendingStreams';
  }
}
