import { ExactNumber } from '../../../json/exact.js';
import { RegoObject, RegoSet, type RegoValue } from '../../value.js';
import { BuiltinError } from '../builtin.js';
import { marshal, members } from '../json-marshal.js';

/** What JSON has of a value: sets are arrays, and keys are strings. */
export function jsonOf(value: RegoValue): RegoValue {
  if (value instanceof RegoObject)
    return new RegoObject(members(value).map(([name, item]) => [name, jsonOf(item)]));
  if (value instanceof RegoSet || Array.isArray(value))
    return Array.from(value as Iterable<RegoValue>, jsonOf);
  return value;
}

/** JSON whose numbers have gone through a double, as gojsonschema compares values. */
export function plainJson(value: RegoValue): string {
  return marshal(doubles(value));
}

function doubles(value: RegoValue): RegoValue {
  if (value instanceof RegoObject)
    return new RegoObject(Array.from(value, ([key, item]) => [key, doubles(item)]));
  if (Array.isArray(value)) return (value as readonly RegoValue[]).map(doubles);
  if (typeof value !== 'bigint' && !(value instanceof ExactNumber)) return value;
  const double = value instanceof ExactNumber ? Number(value.text) : Number(value);
  if (!Number.isFinite(double)) throw new BuiltinError('json: cannot unmarshal number into a float64');
  return double;
}
