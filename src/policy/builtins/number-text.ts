import { ExactNumber } from '../../json/exact.js';
import { parseValue } from '../text.js';
import type { RegoNumber } from '../value.js';
import { type Builtins, BuiltinError, operand } from './builtin.js';
import { LimitError } from './limit.js';

/** OPA's bound for the power of two that a number is near to. */
const LARGEST_EXPONENT = 100_000;

const DECIMAL = /^([+-]?)([0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?$/;

const HEXADECIMAL = /^[+-]?0x[0-9a-f_]*\.?[0-9a-f_]*p[+-]?[0-9]+$/i;

/** Underscores between digits. */
const GROUPED = /^[+-]?(?:\d+(?:_\d+)*)?(?:\.(?:\d+(?:_\d+)*)?)?(?:e[+-]?\d+(?:_\d+)*)?$/i;

/** to_number */
export const TO_NUMBER: Builtins = {
  to_number(_, value) {
    if (value === null) return 0;
    if (typeof value === 'boolean') return Number(value);
    if (typeof value === 'string') return readNumber(value);
    return operand(value!, 1, 'number');
  },
};

/** A number as Go's strconv.ParseFloat takes it, but exact: `+5`, `.5`, `5.` and `007` too. */
function readNumber(text: string): RegoNumber {
  // Go takes these, and what OPA makes of them is no JSON any more.
  if (HEXADECIMAL.test(text) || (text.includes('_') && GROUPED.test(text)))
    throw new LimitError('to_number reads no hexadecimal floats and no underscores');
  const match = DECIMAL.exec(text);
  const [, sign = '', whole = '', point = '', exponent = ''] = match ?? [];
  if (match === null || (whole === '' && point.length < 2)) throw new BuiltinError('invalid syntax');
  if (!Number.isFinite(Number(text))) throw new BuiltinError('value out of range');
  const fraction = point.length > 1 ? point : '';
  const plain = whole.replace(/^0+(?=[0-9])/, '') || '0';
  const number = parseValue(`${sign === '-' ? '-' : ''}${plain}${fraction}${exponent}`) as RegoNumber;
  checkExponent(number);
  return number;
}

/**
 * Of numbers that are written with an exponent OPA takes those between 2^-100000 and 2^100000.
 *
 * @throws BuiltinError for any other
 */
export function checkExponent(number: RegoNumber): void {
  if (!(number instanceof ExactNumber) || !/[eE]/.test(number.text)) return;
  const [mantissa, exponent] = number.text.toLowerCase().split('e') as [string, string];
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = `${whole}${fraction}`;
  const first = digits.search(/[1-9]/);
  if (first < 0) return;
  const leading = Number(`0.${digits.slice(first, first + 17)}`);
  const power = (whole.length - first + Number(exponent)) * Math.log2(10) + Math.log2(leading);
  // Go's exponent is that of a mantissa from 0.5 to 1.
  const binary = Math.floor(power) + 1;
  if (Math.abs(binary) > LARGEST_EXPONENT) throw new BuiltinError('invalid number: number too big');
}
