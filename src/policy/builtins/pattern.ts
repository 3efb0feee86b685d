import { LRUCache } from 'lru-cache';
import { RE2JS } from 're2js';
import { BuiltinError } from './builtin.js';
import { LimitError, limit } from './limit.js';

/**
 * Regular expressions of RE2 as Go's regexp finds them: leftmost-first, in time linear in the text for each
 * match. JavaScript's own RegExp backtracks, and both pattern and text may be a caller's.
 */

/** UTF-16 code units of a pattern. */
const LONGEST_PATTERN = 32_768;

/** Instructions of a compiled pattern times code units of the text: some two seconds at the very worst. */
const MOST_STEPS = 50_000_000;

/** Milliseconds for all matches in one text: finding them all takes quadratic time for a few patterns, in Go too. */
const LONGEST_SEARCH = 1_000;

/** As many as OPA keeps. */
const compiled = new LRUCache<string, RE2JS>({ max: 100 });

/**
 * @throws BuiltinError for what Go's regexp refuses
 * @throws LimitError for a pattern that is too long
 */
export function compilePattern(pattern: string): RE2JS {
  limit('a regular expression, in characters', pattern.length, LONGEST_PATTERN);
  let found = compiled.get(pattern);
  if (found === undefined) {
    try {
      found = RE2JS.compile(pattern);
    } catch (error) {
      throw new BuiltinError(`error parsing regexp: ${(error as Error).message}`);
    }
    compiled.set(pattern, found);
  }
  return found;
}

/** Where a match is, and where its groups are: [start, end] in UTF-16 code units, [-1, -1] for none. */
export type Match = readonly (readonly [start: number, end: number])[];

/**
 * The matches that do not overlap, from left to right. An empty match right after another match is none, as Go
 * has it.
 *
 * @param most so many at the most; below zero for all
 * @throws LimitError where it would take too long
 */
export function findAll(pattern: RE2JS, text: string, most: number): Match[] {
  const matcher = pattern.matcher(text);
  limit('a regular expression times its text', pattern.programSize() * text.length, MOST_STEPS);
  const started = performance.now();
  const matches: Match[] = [];
  let previousEnd = -1;
  for (let at = 0; at <= text.length && (most < 0 || matches.length < most);) {
    if (!matcher.find(at)) break;
    const [start, end] = [matcher.start(), matcher.end()];
    if (end !== at || start !== previousEnd) {
      matches.push(Array.from({ length: matcher.groupCount() + 1 }, (_, group) => span(matcher, group)));
    }
    at = end === at ? at + width(text, at) : end;
    previousEnd = end;
    if (performance.now() - started > LONGEST_SEARCH)
      throw new LimitError(`a search for a regular expression: more than ${LONGEST_SEARCH} ms`);
  }
  return matches;
}

function span(matcher: ReturnType<RE2JS['matcher']>, group: number): readonly [number, number] {
  return [matcher.start(group), matcher.end(group)];
}

/** UTF-16 code units of the code point there; 1 at the end. */
function width(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

/** Whether the pattern matches anywhere in the text. */
export function matchesAnywhere(pattern: RE2JS, text: string): boolean {
  limit('a regular expression times its text', pattern.programSize() * text.length, MOST_STEPS);
  return pattern.test(text);
}
