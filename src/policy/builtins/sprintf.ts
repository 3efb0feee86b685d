import { ExactNumber } from '../../json/exact.js';
import type { RegoNumber, RegoValue } from '../value.js';
import { type Builtins, operand } from './builtin.js';
import { sprintf } from './go/printf.js';
import { GoBigInt, GoFloat, GoInt, type GoValue } from './go/values.js';
import { numberText, regoText } from './rego-text.js';

/** sprintf */
export const SPRINTF: Builtins = {
  sprintf(_, format, values) {
    const text = operand(format, 1, 'string');
    return sprintf(text, operand(values, 2, 'array').map(goValue));
  },
};

/** As OPA hands it to Go: a number by how it is written, anything that is neither number nor string as its text. */
function goValue(value: RegoValue): GoValue {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber)
    return number(value);
  return regoText(value);
}

function number(value: RegoNumber): GoValue {
  const text = numberText(value);
  if (/[.eE]/.test(text)) {
    const double = Number(text);
    return Number.isFinite(double) ? new GoFloat(double) : text;
  }
  const integer = BigInt(text);
  return BigInt.asIntN(64, integer) === integer ? new GoInt(integer, 'int64') : new GoBigInt(integer);
}
