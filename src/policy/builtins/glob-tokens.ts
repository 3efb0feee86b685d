import { BuiltinError } from './builtin.js';
import { limit } from './limit.js';

/**
 * The globs of regex.globs_match, which are small regular expressions: characters, `.`, `[a-z]`, each with `+` or
 * `*` after it if need be, and `\` before what is meant as it is.
 */
export interface Token {
  /** The code points that it stands for, in ranges that don't touch; undefined for any. */
  readonly ranges: readonly Range[] | undefined;
  /** `[…]`, which equals no character though it may hold just that one. */
  readonly set: boolean;
  readonly flag: '' | '+' | '*';
}

type Range = readonly [low: number, high: number];

/** Tokens of one glob. The intersection takes memory and time with the product of both. */
const LONGEST = 1_000;

/**
 * @throws BuiltinError for what is no glob
 * @throws LimitError for one of too many tokens
 */
export function tokenize(glob: string): Token[] {
  const reader = new Reader(Array.from(glob, (character) => character.codePointAt(0)!));
  const tokens: Token[] = [];
  while (!reader.done()) {
    tokens.push(reader.token());
    limit('parts of a glob', tokens.length, LONGEST);
  }
  return simplify(tokens);
}

/** One of two equal tokens is enough where both may repeat. */
function simplify(tokens: readonly Token[]): Token[] {
  const out: Token[] = [];
  for (const token of tokens) {
    const last = out.at(-1);
    if (last !== undefined && last.flag !== '' && token.flag !== '' && same(last, token)) {
      out[out.length - 1] = { ...last, flag: last.flag === '+' ? '+' : token.flag };
    } else {
      out.push(token);
    }
  }
  return out;
}

function same(a: Token, b: Token): boolean {
  return a.set === b.set && JSON.stringify(a.ranges) === JSON.stringify(b.ranges);
}

/** Whether there is a character that both stand for, flags aside. As OPA has it, `.` and `[]` have one. */
export function overlap(a: Token, b: Token): boolean {
  if (a.ranges === undefined || b.ranges === undefined) return true;
  let [i, j] = [0, 0];
  while (i < a.ranges.length && j < b.ranges.length) {
    const [left, right] = [a.ranges[i]!, b.ranges[j]!];
    if (left[1] < right[0]) i++;
    else if (right[1] < left[0]) j++;
    else return true;
  }
  return false;
}

const [BACKSLASH, DOT, OPEN, CLOSE, DASH, PLUS, STAR] = Array.from('\\.[]-+*', (c) => c.charCodeAt(0));

class Reader {
  private at = 0;

  constructor(private readonly points: readonly number[]) {}

  done(): boolean {
    return this.at >= this.points.length;
  }

  token(): Token {
    const { point, escaped } = this.next();
    if (!escaped) {
      if (point === CLOSE) this.fail("']' without a '[' before it");
      if (point === PLUS || point === STAR) this.fail("'+' or '*' with nothing before it");
      if (point === DOT) return { ranges: undefined, set: false, flag: this.flag() };
      if (point === OPEN) return { ranges: this.set(), set: true, flag: this.flag() };
    }
    return { ranges: [[point, point]], set: false, flag: this.flag() };
  }

  private fail(what: string): never {
    throw new BuiltinError(`the glob is invalid at position ${this.at}: ${what}`);
  }

  private next(): { point: number; escaped: boolean } {
    const point = this.points[this.at];
    if (point === undefined) this.fail("'[' without a ']'");
    if (point !== BACKSLASH) {
      this.at++;
      return { point, escaped: false };
    }
    const escaped = this.points[this.at + 1];
    if (escaped === undefined) this.fail("'\\' at the end");
    this.at += 2;
    return { point: escaped, escaped: true };
  }

  private flag(): Token['flag'] {
    const point = this.points[this.at];
    if (point === BACKSLASH && this.at === this.points.length - 1) this.fail("'\\' at the end");
    if (point !== PLUS && point !== STAR) return '';
    this.at++;
    return point === PLUS ? '+' : '*';
  }

  /** What is in brackets; the first one has been taken. */
  private set(): Range[] {
    const ranges: Range[] = [];
    let previous: number | undefined;
    for (;;) {
      const { point, escaped } = this.next();
      if (!escaped && point === CLOSE) return merged(ranges);
      if (!escaped && point === DASH) {
        if (previous === undefined) this.fail("'-' with no character before it");
        ranges.push([previous, this.rangeEnd(previous)]);
        previous = undefined;
      } else {
        ranges.push([point, point]);
        previous = point;
      }
    }
  }

  private rangeEnd(from: number): number {
    if (this.at >= this.points.length - 1) this.fail("'-' with no character after it");
    const { point, escaped } = this.next();
    if (!escaped && (point === CLOSE || point === DASH)) this.fail("'-' before a special character");
    if (point < from) this.fail('a range out of order');
    return point;
  }
}

function merged(ranges: Range[]): Range[] {
  const out: Range[] = [];
  for (const [low, high] of ranges.sort((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last !== undefined && low <= last[1] + 1) out[out.length - 1] = [last[0], Math.max(last[1], high)];
    else out.push([low, high]);
  }
  return out;
}
