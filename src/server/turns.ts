/** Something that waits for its turn. */
export interface Waiting {
  run(): void;
}

/** Milliseconds of work at a stretch, after which the event loop looks at what has come in meanwhile. */
const STRETCH = 5;

/** Tasks that are done and still in their lane: taking each away by itself would move all behind it. */
const KEPT = 256;

/** The tasks of one caller, in the order in which they came. */
interface Lane {
  readonly caller: object;
  readonly tasks: Waiting[];
  /** Those before it are done. */
  next: number;
}

/**
 * Who is served when. As long as there is little to do each task runs at once, and all of this costs a look at the
 * clock. Once a stretch of the event loop has been used up, tasks wait in lanes, one for each connection, which take
 * turns: whoever sends a thousand tokens that were never seen before waits for them himself. Between two stretches
 * the sockets are read, so that a task whose caller has given up meanwhile is known to be of no use before it is begun.
 */
export class Turns {
  private readonly lanes: Lane[] = [];
  private readonly laneOf = new Map<object, Lane>();
  private turn = 0;
  private waiting = 0;
  /** Of a clock that nobody sets; undefined between two stretches. */
  private began: number | undefined;

  /**
   * @param most tasks that may wait
   * @param now milliseconds of a clock that only goes forward
   */
  constructor(
    private readonly most: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * Runs the task now, or later.
   *
   * @returns false where too many wait already: then it never runs
   */
  offer(caller: object, task: Waiting): boolean {
    if (this.waiting === 0 && this.isOpen()) {
      task.run();
      return true;
    }
    if (this.waiting >= this.most) return false;
    let lane = this.laneOf.get(caller);
    if (lane === undefined) {
      lane = { caller, tasks: [], next: 0 };
      this.laneOf.set(caller, lane);
      this.lanes.push(lane);
    }
    lane.tasks.push(task);
    this.waiting++;
    return true;
  }

  private isOpen(): boolean {
    const now = this.now();
    if (this.began !== undefined) return now - this.began < STRETCH;
    this.open(now);
    return true;
  }

  private open(now: number): void {
    this.began = now;
    setImmediate(this.proceed);
  }

  private readonly proceed = (): void => {
    this.began = undefined;
    if (this.waiting === 0) return;
    const started = this.now();
    this.open(started);
    do this.takeOne();
    while (this.waiting > 0 && this.now() - started < STRETCH);
  };

  private takeOne(): void {
    if (this.turn >= this.lanes.length) this.turn = 0;
    const lane = this.lanes[this.turn]!;
    const task = lane.tasks[lane.next++]!;
    this.waiting--;
    if (lane.next < lane.tasks.length) {
      this.turn++;
      // A lane that is never empty must not keep all that ever was in it.
      if (lane.next === KEPT) lane.next -= lane.tasks.splice(0, KEPT).length;
    } else {
      this.lanes.splice(this.turn, 1);
      this.laneOf.delete(lane.caller);
    }
    task.run();
  }
}
