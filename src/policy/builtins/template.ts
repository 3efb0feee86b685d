import { ExactNumber } from '../../json/exact.js';
import { RegoObject, RegoSet, type RegoValue } from '../value.js';
import { type Builtins, BuiltinError, operand } from './builtin.js';
import { isPrintable } from './go/quote.js';
import { GoJsonNumber, type GoMap, type GoValue } from './go/values.js';
import { limit } from './limit.js';
import { numberText } from './rego-text.js';
import { execute } from './template/execute.js';
import { parseTemplate } from './template/parse.js';

/** UTF-16 code units of a template. */
const LONGEST_TEMPLATE = 256 * 1024;

/** strings.render_template: Go's text/template */
export const TEMPLATE: Builtins = {
  'strings.render_template'(_, template, variables) {
    const source = operand(template, 1, 'string');
    limit('strings.render_template: a template, in characters', source.length, LONGEST_TEMPLATE);
    const data = goMap(operand(variables, 2, 'object'));
    return execute(parseTemplate(source), data).replaceAll('<no value>', '<undefined>');
  },
};

/** OPA hands the variables over as text that Go reads as JSON, and not everything that Rego writes is JSON. */
function goValue(value: RegoValue): GoValue {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return checked(value);
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber)
    return new GoJsonNumber(numberText(value));
  if (value instanceof RegoSet) throw new BuiltinError('a set is no JSON');
  if (value instanceof RegoObject) return goMap(value);
  return value.map(goValue);
}

function goMap(object: RegoObject): GoMap {
  return new Map(
    Array.from(object, ([key, item]) => {
      if (typeof key !== 'string') throw new BuiltinError('a key that is no string is no JSON');
      return [checked(key), goValue(item)] as const;
    }),
  );
}

/** Some characters Go quotes as JSON does not: `\a`, `\v`, `\x00`, `\U000e0001`. */
function checked(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what Go has its own escapes for
  if (/[\x00-\x07\x0b\x0e-\x1f\x7f]/.test(text))
    throw new BuiltinError('invalid character in string escape code');
  for (const character of text.match(/[\ud800-\udbff][\udc00-\udfff]/g) ?? [])
    if (!isPrintable(character)) throw new BuiltinError('invalid character in string escape code');
  return text;
}
