import { type DescField, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf';

/**
 * Writes every `float` of a message anew as the shortest decimal that is still it: 0.1, not
 * 0.10000000149011612, which is what it becomes as a double. So a policy sees the number that the caller meant,
 * and that Go's protojson and C++'s write.
 */
export function shortenFloats(type: DescMessage, message: Message): void {
  const values = message as unknown as { [localName: string]: unknown };
  for (const field of type.fields) {
    if (field.oneof) {
      const chosen = values[field.oneof.localName] as { case?: string; value?: unknown };
      if (chosen.case === field.localName) chosen.value = shortened(field, chosen.value);
    } else if (Object.hasOwn(values, field.localName)) {
      values[field.localName] = shortened(field, values[field.localName]);
    }
  }
}

function shortened(field: DescField, value: unknown): unknown {
  if (field.fieldKind === 'list') return (value as unknown[]).map((item) => one(field, item));
  if (field.fieldKind === 'map')
    return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, one(field, item)]));
  return one(field, value);
}

function one(field: DescField, value: unknown): unknown {
  if (typeof value === 'number') return isFloat(field) ? shortest(value) : value;
  // A google.protobuf.Struct is plain JSON here, whose numbers are doubles.
  if (field.message && typeof value === 'object' && value !== null && '$typeName' in value)
    shortenFloats(field.message, value as Message);
  return value;
}

function isFloat(field: DescField): boolean {
  return field.scalar === ScalarType.FLOAT || field.message?.typeName === 'google.protobuf.FloatValue';
}

/** Nine digits tell any two floats apart (IEEE 754 binary32). */
function shortest(float: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const number = Number(float.toPrecision(digits));
    if (Math.fround(number) === float) return number;
  }
  return Number.isFinite(float) ? Number(float.toPrecision(9)) : float;
}
