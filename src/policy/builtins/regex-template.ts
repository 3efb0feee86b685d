import { RE2JS } from 're2js';
import { BuiltinError } from './builtin.js';
import { compilePattern } from './pattern.js';

/**
 * The regular expression that a template stands for: what is between two delimiters is one itself, everything
 * else is meant as it is. Delimiters may be nested, as in `<[a-z]<2>>`; the outermost ones count.
 *
 * @param start one ASCII character
 * @param end one ASCII character
 * @throws BuiltinError for delimiters that don't pair, and for a part that is no regular expression
 */
export function patternOfTemplate(template: string, start: string, end: string): string {
  let pattern = '^';
  let done = 0;
  for (const [from, to] of outermost(template, start, end)) {
    const part = template.slice(from + 1, to - 1);
    compilePattern(`^${part}$`);
    pattern += `${RE2JS.quote(template.slice(done, from))}(${part})`;
    done = to;
  }
  return `${pattern}${RE2JS.quote(template.slice(done))}$`;
}

/** The parts in delimiters, these included: [from, to). */
function outermost(template: string, start: string, end: string): [number, number][] {
  const found: [number, number][] = [];
  let level = 0;
  let from = 0;
  for (let i = 0; i < template.length; i++) {
    // Of two equal delimiters each one starts; so says OPA.
    if (template[i] === start) {
      if (++level === 1) from = i;
    } else if (template[i] === end) {
      if (--level === 0) found.push([from, i + 1]);
      if (level < 0) break;
    }
  }
  if (level !== 0) throw new BuiltinError('unbalanced braces in the template');
  return found;
}
