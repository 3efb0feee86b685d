import { LimitError } from './limit.js';
import { overlap, type Token, tokenize } from './glob-tokens.js';

/** Pairs of tokens looked at: well under a second. */
const MOST_STEPS = 5_000_000;

/**
 * Whether some string matches both globs, as `glob-intersection`, which OPA uses, finds it. Where that differs
 * from the truth (it looks ahead by one token only), so does this.
 *
 * @throws BuiltinError for what is no glob
 * @throws LimitError for globs whose intersection would take too long
 */
export function globsIntersect(left: string, right: string): boolean {
  const [a, b] = [tokenize(left), tokenize(right)];
  const trimmed = trim(a, b);
  return trimmed !== undefined && new Intersection(trimmed[0], trimmed[1]).normal(0, 0, false);
}

/** Both without the tokens at their ends that match each other; undefined where some there don't. */
function trim(a: Token[], b: Token[]): [Token[], Token[]] | undefined {
  const plain = (x: Token | undefined, y: Token | undefined) => x?.flag === '' && y?.flag === '';
  let start = 0;
  for (; plain(a[start], b[start]); start++) if (!overlap(a[start]!, b[start]!)) return undefined;
  if (start > 0) start--;
  let [lastA, lastB] = [a.length - 1, b.length - 1];
  for (; lastA >= start && lastB >= start && plain(a[lastA], b[lastB]); lastA--, lastB--)
    if (!overlap(a[lastA]!, b[lastB]!)) return undefined;
  if (lastA < a.length - 1) {
    lastA++;
    lastB++;
  }
  return [a.slice(start, lastA + 1), b.slice(start, lastB + 1)];
}

/**
 * Each method answers for what is left of both globs from two positions on. `swapped` says that the first
 * position is in the second glob. Answers are kept, without which globs of many stars take exponential time.
 */
class Intersection {
  private readonly known = new Map<number, boolean>();
  private steps = 0;

  constructor(
    private readonly a: readonly Token[],
    private readonly b: readonly Token[],
  ) {}

  /** Token by token, up to one that may repeat. */
  normal(i: number, j: number, swapped: boolean): boolean {
    const [a, b] = this.sides(swapped);
    for (; i < a.length && j < b.length; i++, j++) {
      this.step();
      if (a[i]!.flag !== '') return this.repeated(i, j, swapped);
      if (b[j]!.flag !== '') return this.repeated(j, i, !swapped);
      if (!overlap(a[i]!, b[j]!)) return false;
    }
    return i === a.length && j === b.length;
  }

  /** The token at `i` may repeat. */
  private repeated(i: number, j: number, swapped: boolean): boolean {
    const key = ((i * 1024 + j) * 2 + Number(swapped)) * 2;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const [a] = this.sides(swapped);
    const answer = a[i]!.flag === '+' ? this.plus(i, j, swapped) : this.star(i, j, swapped);
    this.known.set(key, answer);
    return answer;
  }

  private plus(i: number, j: number, swapped: boolean): boolean {
    const [a, b] = this.sides(swapped);
    if (!overlap(a[i]!, b[j]!)) return false;
    if (this.star(i, j + 1, swapped)) return true;
    return b[j]!.flag !== '' && this.normal(i + 1, j, swapped);
  }

  private star(i: number, j: number, swapped: boolean): boolean {
    const key = ((i * 1024 + j) * 2 + Number(swapped)) * 2 + 1;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const answer = this.gobble(i, j, swapped);
    this.known.set(key, answer);
    return answer;
  }

  /** The token at `i` takes what it can, until the one after it can go on. */
  private gobble(i: number, j: number, swapped: boolean): boolean {
    const [a, b] = this.sides(swapped);
    const [token, next] = [a[i]!, a[i + 1]];
    for (; j < b.length; j++) {
      this.step();
      if (next !== undefined && overlap(b[j]!, next) && this.normal(i + 1, j, swapped)) return true;
      if (!overlap(b[j]!, token)) return false;
    }
    return next === undefined;
  }

  private sides(swapped: boolean): readonly [readonly Token[], readonly Token[]] {
    return swapped ? [this.b, this.a] : [this.a, this.b];
  }

  private step(): void {
    if (++this.steps > MOST_STEPS) throw new LimitError('globs whose intersection takes too long to find');
  }
}
