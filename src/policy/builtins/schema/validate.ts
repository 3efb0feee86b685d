import { compareNumbers, toDecimal, toInteger } from '../../number.js';
import { RegoObject, type RegoNumber, type RegoValue, typeOf } from '../../value.js';
import { runes } from '../go/flags.js';
import { LimitError } from '../limit.js';
import { matchesAnywhere } from '../pattern.js';
import { hasFormat } from './formats.js';
import type { SchemaNode } from './node.js';
import { plainJson } from './plain-json.js';
import { Result, type SchemaError } from './result.js';

/** Schemas that one document is held to: `allOf` within itself doubles them with every level of the document. */
const MOST_CHECKS = 500_000;

/**
 * Everything in a document that its schema does not allow, in gojsonschema's words. Members come in the order of
 * their names, where Go has none.
 *
 * @throws LimitError where it would take too long
 */
export function validate(schema: SchemaNode, document: RegoValue): readonly SchemaError[] {
  const result = new Result();
  try {
    new Validator().check(schema, document, result, '(Root)');
  } catch (error) {
    if (error instanceof RangeError) throw new LimitError('json.match_schema: nested too deeply');
    throw error;
  }
  return result.errors;
}

class Validator {
  private left = MOST_CHECKS;

  check(schema: SchemaNode, value: RegoValue, result: Result, at: string): void {
    this.left -= 1;
    if (this.left < 0) throw new LimitError(`json.match_schema: more than ${MOST_CHECKS} checks`);
    if (schema.pass !== undefined) {
      if (!schema.pass) result.add('false', at, 'False always fails validation');
      return;
    }
    if (schema.target !== undefined) return this.check(schema.target, value, result, at);
    const given = typeName(value);
    if (!allows(schema.types, given)) {
      const expected = schema.types.length > 1 ? `[${schema.types.join(',')}]` : schema.types[0]!;
      return result.add('invalid_type', at, `Invalid type. Expected: ${expected}, given: ${given}`);
    }
    this.combinations(schema, value, result, at);
    if (given === 'integer' || given === 'number') this.number(schema, value as RegoNumber, result, at);
    if (value instanceof RegoObject) this.object(schema, value, result, at);
    if (Array.isArray(value)) this.array(schema, value as readonly RegoValue[], result, at);
    common(schema, value, result, at);
    if (typeof value === 'string') text(schema, value, result, at);
    if (value instanceof RegoObject)
      for (const [name, property] of schema.properties) {
        const member = value.get(name);
        if (member !== undefined) this.check(property, member, result, `${at}.${name}`);
      }
    result.score += 1;
  }

  private sub(schema: SchemaNode, value: RegoValue, at: string): Result {
    const result = new Result();
    this.check(schema, value, result, at);
    return result;
  }

  private combinations(schema: SchemaNode, value: RegoValue, result: Result, at: string): void {
    this.anyOf(schema.anyOf, value, result, at);
    this.oneOf(schema.oneOf, value, result, at);
    if (schema.allOf.length > 0) {
      const results = schema.allOf.map((one) => this.sub(one, value, at));
      for (const one of results) result.merge(one);
      if (!results.every(({ valid }) => valid))
        result.add('number_all_of', at, 'Must validate all the schemas (allOf)');
    }
    if (schema.not !== undefined && this.sub(schema.not, value, at).valid)
      result.add('number_not', at, 'Must not validate the schema (not)');
    this.dependencies(schema, value, result, at);
    this.condition(schema, value, result, at);
    result.score += 1;
  }

  private anyOf(schemas: readonly SchemaNode[], value: RegoValue, result: Result, at: string): void {
    if (schemas.length === 0) return;
    let best: Result | undefined;
    for (const schema of schemas) {
      const one = this.sub(schema, value, at);
      if (one.valid) return;
      if (best === undefined || one.score > best.score) best = one;
    }
    result.add('number_any_of', at, 'Must validate at least one schema (anyOf)');
    if (best !== undefined) result.merge(best);
  }

  private oneOf(schemas: readonly SchemaNode[], value: RegoValue, result: Result, at: string): void {
    if (schemas.length === 0) return;
    let valid = 0;
    let best: Result | undefined;
    for (const schema of schemas) {
      const one = this.sub(schema, value, at);
      if (one.valid) valid += 1;
      else if (valid === 0 && (best === undefined || one.score > best.score)) best = one;
    }
    if (valid === 1) return;
    result.add('number_one_of', at, 'Must validate one and only one schema (oneOf)');
    if (valid === 0 && best !== undefined) result.merge(best);
  }

  private dependencies(schema: SchemaNode, value: RegoValue, result: Result, at: string): void {
    if (!(value instanceof RegoObject)) return;
    for (const [name, dependency] of schema.dependencies) {
      if (!value.has(name)) continue;
      if (!Array.isArray(dependency)) this.check(dependency, value, result, at);
      else
        for (const other of dependency)
          if (!value.has(other)) result.add('missing_dependency', at, `Has a dependency on ${other}`);
    }
  }

  private condition(schema: SchemaNode, value: RegoValue, result: Result, at: string): void {
    if (schema.if === undefined) return;
    const holds = this.sub(schema.if, value, at).valid;
    const branch = holds ? schema.then : schema.else;
    const outcome = branch && this.sub(branch, value, at);
    if (outcome === undefined || outcome.valid) return;
    if (holds) result.add('condition_then', at, 'Must validate "then" as "if" was valid');
    else result.add('condition_else', at, 'Must validate "else" as "if" was not valid');
    result.merge(outcome);
  }

  private number(schema: SchemaNode, value: RegoNumber, result: Result, at: string): void {
    const { multipleOf, maximum, exclusiveMaximum, minimum, exclusiveMinimum } = schema;
    if (multipleOf !== undefined && !isMultiple(value, multipleOf))
      result.add('multiple_of', at, `Must be a multiple of ${bound(multipleOf)}`);
    if (maximum !== undefined && compareNumbers(value, maximum) > 0)
      result.add('number_lte', at, `Must be less than or equal to ${bound(maximum)}`);
    if (exclusiveMaximum !== undefined && compareNumbers(value, exclusiveMaximum) >= 0)
      result.add('number_lt', at, `Must be less than ${bound(exclusiveMaximum)}`);
    if (minimum !== undefined && compareNumbers(value, minimum) < 0)
      result.add('number_gte', at, `Must be greater than or equal to ${bound(minimum)}`);
    if (exclusiveMinimum !== undefined && compareNumbers(value, exclusiveMinimum) <= 0)
      result.add('number_gt', at, `Must be greater than ${bound(exclusiveMinimum)}`);
    result.score += 1;
  }

  private object(schema: SchemaNode, value: RegoObject, result: Result, at: string): void {
    const { minProperties, maxProperties } = schema;
    if (minProperties !== undefined && value.size < minProperties)
      result.add('array_min_properties', at, `Must have at least ${minProperties} properties`);
    if (maxProperties !== undefined && value.size > maxProperties)
      result.add('array_max_properties', at, `Must have at most ${maxProperties} properties`);
    for (const name of schema.required) {
      if (value.has(name)) result.score += 1;
      else result.add('required', at, `${name} is required`);
    }
    const known = new Set(schema.properties.map(([name]) => name));
    for (const [key, item] of value) {
      const name = key as string;
      const matched = this.patterns(schema, name, item, result, at);
      if (!matched && !known.has(name)) this.additional(schema, name, item, result, at);
    }
    if (schema.propertyNames !== undefined)
      for (const name of value.keys() as string[]) {
        const outcome = this.sub(schema.propertyNames, name, at);
        if (outcome.valid) continue;
        result.add('invalid_property_name', at, `Property name of "${name}" does not match`);
        result.merge(outcome);
      }
    result.score += 1;
  }

  private patterns(schema: SchemaNode, name: string, item: RegoValue, result: Result, at: string): boolean {
    const matching = schema.patternProperties.filter(([pattern]) => matchesAnywhere(pattern, name));
    for (const [, property] of matching) result.merge(this.sub(property, item, `${at}.${name}`));
    if (matching.length > 0) result.score += 1;
    return matching.length > 0;
  }

  private additional(schema: SchemaNode, name: string, item: RegoValue, result: Result, at: string): void {
    const { additionalProperties } = schema;
    if (additionalProperties === false)
      result.add('additional_property_not_allowed', at, `Additional property ${name} is not allowed`);
    else if (typeof additionalProperties === 'object')
      result.merge(this.sub(additionalProperties, item, `${at}.${name}`));
  }

  private array(schema: SchemaNode, value: readonly RegoValue[], result: Result, at: string): void {
    this.items(schema, value, result, at);
    const { minItems, maxItems } = schema;
    if (minItems !== undefined && value.length < minItems)
      result.add('array_min_items', at, `Array must have at least ${minItems} items`);
    if (maxItems !== undefined && value.length > maxItems)
      result.add('array_max_items', at, `Array must have at most ${maxItems} items`);
    if (schema.uniqueItems) unique(value, result, at);
    if (schema.contains !== undefined) this.contains(schema.contains, value, result, at);
    result.score += 1;
  }

  private items(
    { items, additionalItems }: SchemaNode,
    value: readonly RegoValue[],
    result: Result,
    at: string,
  ): void {
    if (items === undefined) return;
    const single = !Array.isArray(items);
    for (const [i, item] of value.entries()) {
      const schema = single ? items : (items[i] ?? (items.length > 0 ? additionalItems : undefined));
      if (typeof schema === 'object') result.merge(this.sub(schema, item, `${at}.${i}`));
    }
    if (!single && items.length > 0 && items.length < value.length && additionalItems === false)
      result.add('array_no_additional_items', at, 'No additional items allowed on array');
  }

  private contains(schema: SchemaNode, value: readonly RegoValue[], result: Result, at: string): void {
    let best: Result | undefined;
    for (const [i, item] of value.entries()) {
      const one = this.sub(schema, item, `${at}.${i}`);
      if (one.valid) return;
      if (best === undefined || one.score > best.score) best = one;
    }
    result.add('contains', at, 'At least one of the items must match');
    if (best !== undefined) result.merge(best);
  }
}

function typeName(value: RegoValue): string {
  const type = typeOf(value);
  return type === 'number' && toInteger(value as RegoNumber) !== undefined ? 'integer' : type;
}

function allows(types: readonly string[], given: string): boolean {
  return types.length === 0 || types.includes(given) || (given === 'integer' && types.includes('number'));
}

function isMultiple(value: RegoNumber, of: RegoNumber): boolean {
  const [a, b] = [toDecimal(value), toDecimal(of)];
  if (a.digits === 0n) return true;
  const least = Math.min(a.exponent, b.exponent);
  if (Math.max(a.exponent, b.exponent) - least > 1000) return false;
  return (
    (a.digits * 10n ** BigInt(a.exponent - least)) % (b.digits * 10n ** BigInt(b.exponent - least)) === 0n
  );
}

/** As Go prints a `big.Float`: in the fewest digits, with an exponent where there are more than 21 places. */
function bound(value: RegoNumber): string {
  const { digits, exponent } = toDecimal(value);
  const sign = digits < 0n ? '-' : '';
  const all = (digits < 0n ? -digits : digits).toString();
  const power = all.length + exponent - 1;
  if (digits === 0n) return '0';
  if (power < -4 || power >= Math.max(all.length, 21)) {
    const fraction = all.length > 1 ? `.${all.slice(1)}` : '';
    return `${sign}${all[0]}${fraction}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  if (exponent >= 0) return sign + all + '0'.repeat(exponent);
  const point = all.length + exponent;
  if (point > 0) return `${sign}${all.slice(0, point)}.${all.slice(point)}`;
  return `${sign}0.${'0'.repeat(-point)}${all}`;
}

function unique(value: readonly RegoValue[], result: Result, at: string): void {
  const seen = new Map<string, number>();
  for (const [j, item] of value.entries()) {
    const json = plainJson(item);
    const i = seen.get(json);
    if (i !== undefined) result.add('unique', at, `array items[${i},${j}] must be unique`);
    seen.set(json, j);
  }
}

function common(schema: SchemaNode, value: RegoValue, result: Result, at: string): void {
  if (schema.const !== undefined && plainJson(value) !== schema.const)
    result.add('const', at, `${Result.field(at)} does not match: ${schema.const}`);
  if (schema.enum !== undefined && !schema.enum.includes(plainJson(value)))
    result.add('enum', at, `${Result.field(at)} must be one of the following: ${schema.enum.join(', ')}`);
  if (schema.format !== undefined && typeof value === 'string' && !hasFormat(schema.format, value))
    result.add('format', at, `Does not match format '${schema.format}'`);
  result.score += 1;
}

function text(schema: SchemaNode, value: string, result: Result, at: string): void {
  const { minLength, maxLength, pattern } = schema;
  if (minLength !== undefined && runes(value) < minLength)
    result.add('string_gte', at, `String length must be greater than or equal to ${minLength}`);
  if (maxLength !== undefined && runes(value) > maxLength)
    result.add('string_lte', at, `String length must be less than or equal to ${maxLength}`);
  if (pattern !== undefined && !matchesAnywhere(pattern.compiled, value))
    result.add('pattern', at, `Does not match pattern '${pattern.text}'`);
  result.score += 1;
}
