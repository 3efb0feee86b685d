/**
 * Values as Go holds them, where a built-in's outcome depends on the type that Go gives them: what `%T` prints,
 * and what the text of a wrong verb says.
 */
export type GoValue =
  null | boolean | string | GoInt | GoFloat | GoBigInt | GoJsonNumber | readonly GoValue[] | GoMap;

export class GoInt {
  constructor(
    readonly value: bigint,
    readonly type: 'int' | 'uint8' | 'int64' = 'int',
  ) {}
}

export class GoFloat {
  constructor(readonly value: number) {}
}

/** A `*big.Int`, which formats itself. */
export class GoBigInt {
  constructor(readonly value: bigint) {}
}

/** A `json.Number`: to Go it is a string of another name. */
export class GoJsonNumber {
  constructor(readonly text: string) {}
}

/** A `map[string]any`, with its keys in their order. */
export type GoMap = ReadonlyMap<string, GoValue>;

export function isMap(value: GoValue): value is GoMap {
  return value instanceof Map;
}

export function isSlice(value: GoValue): value is readonly GoValue[] {
  return Array.isArray(value);
}

/** The type's name, as `reflect.Type` gives it. */
export function typeName(value: GoValue): string {
  if (value === null) return '<nil>';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (value instanceof GoInt) return value.type;
  if (value instanceof GoFloat) return 'float64';
  if (value instanceof GoBigInt) return '*big.Int';
  if (value instanceof GoJsonNumber) return 'json.Number';
  return isMap(value) ? 'map[string]interface {}' : '[]interface {}';
}
