import type { RegoValue } from '../../value.js';
import { BuiltinError } from '../builtin.js';
import { toInteger } from '../../number.js';
import { typeOf } from '../../value.js';
import type { RegoNumber } from '../../value.js';

/**
 * A path: a JSON pointer (RFC 6901), whose leading slashes OPA takes for none, or an array of the keys.
 *
 * @throws BuiltinError for anything else
 */
export function parsePath(path: RegoValue): readonly RegoValue[] {
  if (Array.isArray(path)) return path as readonly RegoValue[];
  if (typeof path !== 'string')
    throw new BuiltinError(
      'operand 2 must be one of {set, array} containing string paths or array of path segments but got ' +
        typeOf(path),
    );
  if (path === '') return [];
  return path
    .replace(/^\/+/, '')
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Where in an array a key points; `-` is where the next element would be. */
export function arrayIndex(key: RegoValue, length: number): number {
  if (key === '-') return length;
  if (typeof key === 'string') {
    const match = /^([+-]?)([0-9]{1,18})(?:\.0*)?$/.exec(key);
    if (match === null) throw new BuiltinError('invalid string for indexing');
    if (key !== '0' && key.startsWith('0'))
      throw new BuiltinError('leading zeros are not allowed in JSON paths');
    return match[1] === '-' ? -Number(match[2]) : Number(match[2]);
  }
  if (typeOf(key) !== 'number') throw new BuiltinError('invalid type for indexing');
  const index = toInteger(key as RegoNumber);
  if (index === undefined || BigInt.asIntN(64, index) !== index)
    throw new BuiltinError('invalid number type for indexing');
  return Number(index);
}
