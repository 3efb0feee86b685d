import { constants, type ServerHttp2Stream } from 'node:http2';

/** One request on its way, as {@link Arrivals.expect} keeps it. */
export interface Arrival {
  readonly stream: ServerHttp2Stream;
  /** How many sweeps there had been when it began. */
  readonly since: number;
  /** Its place in the list; -1 once it is settled. */
  place: number;
}

/**
 * The requests that are on their way, or whose answer is. Each one alone is bounded by its length; this bounds them all together, in
 * bytes and in time: a caller may open thousands of streams, send nearly all of each, and never end one.
 *
 * They stand in an array, and the last one takes the place of one that is settled. A Map would leave a trail of outgrown
 * tables, which V8 keeps, and the streams in them with all that they hold, until it collects the old generation.
 */
export class Arrivals {
  private held = 0;
  private sweeps = 0;
  private readonly list: Arrival[] = [];

  /** @param most bytes of all requests together that may wait for their end */
  constructor(private readonly most: number) {}

  expect(stream: ServerHttp2Stream): Arrival {
    const arrival = { stream, since: this.sweeps, place: this.list.length };
    this.list.push(arrival);
    return arrival;
  }

  /** Nothing more will come of it, or it is one that may last. */
  settled(arrival: Arrival): void {
    const { place } = arrival;
    if (place === -1) return;
    arrival.place = -1;
    const last = this.list.pop()!;
    if (last === arrival) return;
    this.list[place] = last;
    last.place = place;
  }

  /** @returns whether there is room for so many bytes; they are held then, until they are released */
  hold(bytes: number): boolean {
    if (this.held + bytes > this.most) return false;
    this.held += bytes;
    return true;
  }

  release(bytes: number): void {
    this.held -= bytes;
  }

  /**
   * Ends what was there at the last sweep but one, and so has lasted for the time between two of them and less than twice that.
   * A stream without an answer is reset, which its caller takes as an error.
   */
  sweep(): void {
    const before = this.sweeps++;
    for (const arrival of this.list.filter(({ since }) => since < before)) {
      this.settled(arrival);
      arrival.stream.close(constants.NGHTTP2_CANCEL);
    }
  }
}
