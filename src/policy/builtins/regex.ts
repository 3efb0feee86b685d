import { type RegoValue } from '../value.js';
import { type BuiltinContext, BuiltinError, type Builtins, operand } from './builtin.js';
import { int64 } from './int64.js';
import { limit } from './limit.js';
import { compilePattern, findAll, matchesAnywhere } from './pattern.js';
import { Replacement } from './regex-replacement.js';
import { patternOfTemplate } from './regex-template.js';

/** UTF-16 code units of what regex.replace returns: replacement times matches may be far more than both. */
const LONGEST_RESULT = 4_194_304;

/** regex.find_n, regex.replace, regex.split, regex.template_match */
export const REGEX: Builtins = {
  'regex.find_n': findN,
  'regex.replace': replace,
  'regex.split': split,
  'regex.template_match': templateMatch,
};

function findN(_: BuiltinContext, ...operands: RegoValue[]): RegoValue {
  const pattern = operand(operands[0]!, 1, 'string');
  const text = operand(operands[1]!, 2, 'string');
  const most = Number(int64(operands[2]!, 3));
  return findAll(compilePattern(pattern), text, most).map(([whole]) => text.slice(...whole!));
}

function replace(_: BuiltinContext, ...operands: RegoValue[]): RegoValue {
  const text = operand(operands[0]!, 1, 'string');
  const pattern = compilePattern(operand(operands[1]!, 2, 'string'));
  const replacement = new Replacement(operand(operands[2]!, 3, 'string'), pattern);
  let out = '';
  let done = 0;
  for (const match of findAll(pattern, text, -1)) {
    const [start, end] = match[0]!;
    out += text.slice(done, start) + replacement.expand(text, match);
    done = end;
    limit('characters that regex.replace returns', out.length, LONGEST_RESULT);
  }
  return out + text.slice(done);
}

function split(_: BuiltinContext, ...operands: RegoValue[]): RegoValue {
  const source = operand(operands[0]!, 1, 'string');
  const text = operand(operands[1]!, 2, 'string');
  const pattern = compilePattern(source);
  if (source !== '' && text === '') return [''];
  const parts: string[] = [];
  let [begin, last] = [0, 0];
  for (const [whole] of findAll(pattern, text, -1)) {
    const [start, end] = whole!;
    // An empty match at the very beginning splits nothing off.
    if (end !== 0) parts.push(text.slice(begin, start));
    [begin, last] = [end, start];
  }
  if (last !== text.length) parts.push(text.slice(begin));
  return parts;
}

function templateMatch(_: BuiltinContext, ...operands: RegoValue[]): RegoValue {
  const template = operand(operands[0]!, 1, 'string');
  const text = operand(operands[1]!, 2, 'string');
  const start = delimiter(operands[2]!, 3, 'start');
  const end = delimiter(operands[3]!, 4, 'end');
  return matchesAnywhere(compilePattern(patternOfTemplate(template, start, end)), text);
}

/** One character of ASCII: OPA counts bytes. */
function delimiter(value: RegoValue, position: number, which: string): string {
  const text = operand(value, position, 'string');
  if (Buffer.byteLength(text) !== 1)
    throw new BuiltinError(`${which} delimiter has to be exactly one character long`);
  return text;
}
