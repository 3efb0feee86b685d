import { ExactNumber } from '../../../json/exact.js';
import { RegoObject, RegoSet, type RegoValue } from '../../value.js';
import { BuiltinError } from '../builtin.js';
import { formatFloat } from '../go/floats.js';
import { members } from '../json-marshal.js';
import { Budget } from '../limit.js';
import { numberText } from '../rego-text.js';
import { compareKeys } from './keys.js';
import { resolve, type Scalar } from './resolve.js';
import { block, hasLines, inline } from './scalar-style.js';

/** Characters of one text: deep nesting indents every line of a string. */
const LONGEST = 4 * 1024 * 1024;

/** A value as go-yaml v3 writes what JSON has of it, in blocks, two spaces deep. */
export function writeYaml(value: RegoValue): string {
  const writer = new Writer();
  return `${writer.node(value, 0).replace(/^[ \n]/, '')}\n`;
}

class Writer {
  private readonly budget = new Budget(LONGEST, `yaml.marshal: a text of more than ${LONGEST} characters`);

  /** What follows `key:` or `-`, with the space or the line end before it. */
  node(value: RegoValue, indent: number): string {
    const text = this.text(value, indent);
    this.budget.spend(1 + indent);
    return text;
  }

  private text(value: RegoValue, indent: number): string {
    if (value instanceof RegoObject) return this.map(members(value), indent);
    if (value instanceof RegoSet || Array.isArray(value))
      return this.list([...(value as Iterable<RegoValue>)], indent);
    if (typeof value === 'string') return ` ${this.string(value, indent)}`;
    if (typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber)
      return ` ${number(resolve(numberText(value)))}`;
    return ` ${String(value)}`;
  }

  private string(text: string, indent: number): string {
    const read = folded(text);
    const written = block(read, indent) ?? inline(read, false, indent);
    this.budget.spend(written.length);
    return written;
  }

  private map(entries: [string, RegoValue][], indent: number): string {
    if (entries.length === 0) return ' {}';
    entries.sort(([a], [b]) => compareKeys(a, b));
    const pad = ' '.repeat(indent);
    return entries.map(([name, item]) => `\n${pad}${this.entry(name, item, indent)}`).join('');
  }

  /** A key that has lines, or more than 128 bytes, stands after a question mark, and its value below. */
  private entry(name: string, item: RegoValue, indent: number): string {
    if (name.includes('\u0085')) throw new BuiltinError("yaml: did not find expected ',' or '}'");
    const length = Buffer.byteLength(name);
    if (length > 1024) throw new BuiltinError("yaml: could not find expected ':'");
    const value = this.node(item, indent + 2);
    if (hasLines(name) || length > 128)
      return `? ${this.string(name, indent + 2)}\n${' '.repeat(indent)}:${compact(value, indent + 2)}`;
    const key = inline(folded(name), true, indent);
    this.budget.spend(key.length);
    return `${key}:${value}`;
  }

  private list(items: readonly RegoValue[], indent: number): string {
    if (items.length === 0) return ' []';
    const pad = ' '.repeat(indent);
    return items.map((item) => `\n${pad}-${compact(this.node(item, indent + 2), indent + 2)}`).join('');
  }
}

/** What is in a list begins on the line of its dash. */
function compact(text: string, indent: number): string {
  return text.startsWith('\n') ? ` ${text.slice(1 + indent)}` : text;
}

/**
 * OPA has go-yaml read the value as JSON first: some characters it does not take there, and U+0085 is the end of
 * a line to it, which it folds.
 */
function folded(text: string): string {
  if (FORBIDDEN.test(text)) throw new BuiltinError('yaml: control characters are not allowed');
  return text.toWellFormed().replace(/ *\u0085[ \u0085]*/g, (run) => {
    const breaks = run.replaceAll(' ', '').length;
    return breaks === 1 ? ' ' : '\n'.repeat(breaks - 1);
  });
}

const FORBIDDEN = /[\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]/;

function number(scalar: Scalar): string {
  if (scalar.kind === 'float') return formatFloat(scalar.value, 'g', -1);
  return scalar.kind === 'null' ? 'null' : String(scalar.value);
}
