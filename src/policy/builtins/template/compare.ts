import { compareValues } from '../../value.js';
import { BuiltinError } from '../builtin.js';
import { GoFloat, GoInt, GoJsonNumber, type GoValue, isMap, typeName } from '../go/values.js';

/** How Go's templates compare: only within one kind, and a number of the data is of the kind of strings. */

type Kind = 'bool' | 'int' | 'float' | 'string' | undefined;

function kindOf(value: GoValue | undefined): Kind {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string' || value instanceof GoJsonNumber) return 'string';
  if (value instanceof GoInt) return 'int';
  return value instanceof GoFloat ? 'float' : undefined;
}

function plain(value: GoValue | undefined): boolean | string | bigint | number {
  if (value instanceof GoJsonNumber) return value.text;
  if (value instanceof GoInt || value instanceof GoFloat) return value.value;
  return value as boolean | string;
}

export function equal(a: GoValue | undefined, b: GoValue | undefined): boolean {
  const [missing, other] = [(a ?? null) === null, (b ?? null) === null];
  if (missing || other) return missing && other;
  const kind = kindOf(a);
  if (kind !== kindOf(b)) throw incompatible(a!, b!);
  if (kind === undefined)
    throw new BuiltinError(`template: non-comparable ${isMap(a!) === isMap(b!) ? 'type' : 'types'}`);
  return plain(a) === plain(b);
}

export function less(a: GoValue | undefined, b: GoValue | undefined): boolean {
  const [kind, other] = [kindOf(a), kindOf(b)];
  if (kind === undefined || other === undefined)
    throw new BuiltinError('template: invalid type for comparison');
  if (kind !== other) throw incompatible(a!, b!);
  if (kind === 'bool') throw new BuiltinError('template: invalid type for comparison');
  if (kind === 'string') return compareValues(plain(a) as string, plain(b) as string) < 0;
  return plain(a) < plain(b);
}

function incompatible(a: GoValue, b: GoValue): BuiltinError {
  return new BuiltinError(`template: incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`);
}
