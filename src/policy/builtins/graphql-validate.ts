import { BuiltinError } from './builtin.js';
import { list, type Struct, text, texts } from './graphql-ast.js';
import { limit } from './limit.js';

/** The rules by which gqlparser takes a schema for valid (its `ValidateSchemaDocument`). */

interface DirectiveRule {
  readonly locations: readonly string[];
  readonly arguments: readonly string[];
  /** Those that must be given. */
  readonly required: readonly string[];
  readonly repeatable: boolean;
}

const rule = (locations: string[], args: string[] = [], required: string[] = []): DirectiveRule => ({
  locations,
  arguments: args,
  required,
  repeatable: false,
});

const BUILT_IN: readonly (readonly [string, DirectiveRule])[] = [
  ['include', rule([], ['if'], ['if'])],
  ['skip', rule([], ['if'], ['if'])],
  ['defer', rule([], ['if', 'label'])],
  [
    'deprecated',
    rule(['FIELD_DEFINITION', 'ARGUMENT_DEFINITION', 'INPUT_FIELD_DEFINITION', 'ENUM_VALUE'], ['reason']),
  ],
  ['specifiedBy', rule(['SCALAR'], ['url'], ['url'])],
  ['oneOf', rule(['INPUT_OBJECT'])],
];

/** What a schema defines, by name. */
export class SchemaTypes {
  readonly rules: ReadonlyMap<string, DirectiveRule>;

  constructor(
    readonly types: ReadonlyMap<string, Struct>,
    readonly directives: ReadonlyMap<string, Struct>,
  ) {
    this.rules = new Map([
      ...[...directives].map(([name, found]) => [name, ruleOf(found)] as const),
      ...BUILT_IN,
    ]);
  }

  kindOf(name: string): string | undefined {
    const type = this.types.get(name);
    return type === undefined ? undefined : text(type, 'Kind');
  }

  /**
   * @param single whether they are all at one place, rather than at a type and its extensions
   * @throws BuiltinError for one that doesn't belong there
   */
  checkDirectives(directives: readonly Struct[], location: string, single = true, within?: string): void {
    const seen = new Set<string>();
    for (const directive of directives) {
      const name = text(directive, 'Name');
      const known = this.rules.get(name);
      checkName(name);
      check(name !== within, `Directive ${name} cannot refer to itself.`);
      check(known !== undefined, `Undefined directive ${name}.`);
      check(!single || known.repeatable || !seen.has(name), `The directive ${name} can only be used once.`);
      seen.add(name);
      check(known.locations.includes(location), `Directive ${name} is not applicable on ${location}.`);
      const given = new Map(
        list(directive, 'Arguments').map((one) => [text(one, 'Name'), one.Value as Struct]),
      );
      for (const argument of given.keys())
        check(known.arguments.includes(argument), `Undefined argument ${argument} for directive ${name}.`);
      for (const required of known.required)
        check(
          (given.get(required)?.Kind ?? NULL) !== NULL,
          `Argument ${required} for directive ${name} cannot be null.`,
        );
    }
  }

  checkArguments(args: readonly Struct[], within?: string): void {
    for (const argument of args) {
      checkName(text(argument, 'Name'));
      const kind = this.checkType(argument.Type);
      check(INPUT.includes(kind), `cannot use ${kind} as argument ${text(argument, 'Name')}`);
      this.checkDirectives(list(argument, 'Directives'), 'ARGUMENT_DEFINITION', true, within);
    }
  }

  /** @returns the kind of the type */
  checkType(type: Struct[string] | undefined): string {
    const name = innermost(type);
    const kind = this.kindOf(name);
    check(kind !== undefined, `Undefined type ${name}.`);
    return kind;
  }
}

/** The number of a null among the kinds of values. */
const NULL = 6;

const INPUT: readonly string[] = ['SCALAR', 'ENUM', 'INPUT_OBJECT'];
const OUTPUT: readonly string[] = ['SCALAR', 'OBJECT', 'INTERFACE', 'UNION', 'ENUM'];

function check(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new BuiltinError(`Error in GraphQL schema: ${otherwise}`);
}

function checkName(name: string): void {
  check(
    !name.startsWith('__'),
    'a name must not begin with "__", which is reserved by GraphQL introspection.',
  );
}

function checkUnique(names: readonly string[], what: string): void {
  check(new Set(names).size === names.length, `${what} can only be defined once.`);
}

function ruleOf(definition: Struct): DirectiveRule {
  const args = list(definition, 'Arguments');
  return {
    locations: texts(definition, 'Locations'),
    arguments: args.map((argument) => text(argument, 'Name')),
    required: args.filter(isRequired).map((argument) => text(argument, 'Name')),
    repeatable: definition.IsRepeatable === true,
  };
}

function isRequired(argument: Struct): boolean {
  return (argument.Type as Struct | null)?.NonNull === true && (argument.DefaultValue ?? null) === null;
}

function innermost(type: Struct[string] | undefined): string {
  let found = (type ?? null) as Struct | null;
  while (found !== null && text(found, 'NamedType') === '') found = (found.Elem ?? null) as Struct | null;
  check(found !== null, 'a type is missing.');
  return text(found, 'NamedType');
}

/**
 * @throws BuiltinError for what isn't valid in a schema
 */
export function validateTypes(schema: SchemaTypes): void {
  for (const type of schema.types.values()) if (type.BuiltIn !== true) validateType(schema, type);
  checkCircles(schema);
  for (const [name, directive] of schema.directives) {
    checkName(name);
    schema.checkArguments(list(directive, 'Arguments'), name);
  }
}

function validateType(schema: SchemaTypes, type: Struct): void {
  const [name, kind, fields] = [text(type, 'Name'), text(type, 'Kind'), list(type, 'Fields')];
  const values = list(type, 'EnumValues');
  checkName(name);
  for (const field of fields) {
    checkName(text(field, 'Name'));
    const found = schema.checkType(field.Type);
    schema.checkArguments(list(field, 'Arguments'));
    const input = kind === 'INPUT_OBJECT';
    schema.checkDirectives(list(field, 'Directives'), input ? 'INPUT_FIELD_DEFINITION' : 'FIELD_DEFINITION');
    check((input ? INPUT : OUTPUT).includes(found), `${kind} ${name}: a field must not be of ${found}.`);
  }
  for (const member of texts(type, 'Types'))
    check(schema.kindOf(member) === 'OBJECT', `${kind} type ${member} must be OBJECT.`);
  for (const implemented of texts(type, 'Interfaces')) checkImplements(schema, type, implemented);
  if (['OBJECT', 'INTERFACE', 'INPUT_OBJECT'].includes(kind))
    check(fields.length > 0, `${kind} ${name}: must define one or more fields.`);
  if (kind === 'ENUM') check(values.length > 0, `ENUM ${name}: must define one or more unique enum values.`);
  for (const value of values) {
    check(!['true', 'false', 'null'].includes(text(value, 'Name')), `ENUM ${name}: non-enum value.`);
    schema.checkDirectives(list(value, 'Directives'), 'ENUM_VALUE');
  }
  checkUnique(
    fields.map((field) => text(field, 'Name')),
    `A field of ${name}`,
  );
  checkUnique(
    values.map((value) => text(value, 'Name')),
    `A value of ${name}`,
  );
  checkUnique(texts(type, 'Types'), `A type in union ${name}`);
  schema.checkDirectives(list(type, 'Directives'), kind, false);
}

/** Section 3.6 of the specification, "Type Validation", for one interface. */
function checkImplements(schema: SchemaTypes, type: Struct, name: string): void {
  const implemented = schema.types.get(name);
  check(implemented !== undefined, `Undefined type ${name}.`);
  check(schema.kindOf(name) === 'INTERFACE', `${name} is a non interface type.`);
  const fields = new Map(list(type, 'Fields').map((field) => [text(field, 'Name'), field]));
  for (const required of list(implemented, 'Fields')) {
    const field = fields.get(text(required, 'Name'));
    const what = `field ${text(required, 'Name')} of ${name}`;
    check(field !== undefined, `the ${what} is missing.`);
    check(
      isCovariant(schema, required.Type as Struct, field.Type as Struct),
      `the ${what} has the wrong type.`,
    );
    checkSameArguments(required, field, what);
  }
  for (const further of texts(implemented, 'Interfaces'))
    check(
      texts(type, 'Interfaces').includes(further),
      `${text(type, 'Name')} must implement ${further} too.`,
    );
}

function checkSameArguments(required: Struct, field: Struct, what: string): void {
  const found = new Map(list(field, 'Arguments').map((one) => [text(one, 'Name'), one]));
  for (const argument of list(required, 'Arguments')) {
    const own = found.get(text(argument, 'Name'));
    check(own !== undefined, `the ${what} must have the same arguments.`);
    check(
      isCompatible(argument.Type as Struct, own.Type as Struct),
      `the ${what} has an argument of the wrong type.`,
    );
    found.delete(text(argument, 'Name'));
  }
  for (const further of found.values()) check(!isRequired(further), `the ${what} has a further argument.`);
}

function isCovariant(schema: SchemaTypes, required: Struct, actual: Struct): boolean {
  if (required.NonNull === true && actual.NonNull !== true) return false;
  const [wanted, found] = [text(required, 'NamedType'), text(actual, 'NamedType')];
  if (wanted === '')
    return found === '' && isCovariant(schema, required.Elem as Struct, actual.Elem as Struct);
  if (wanted === found) return true;
  const [outer, inner] = [schema.types.get(wanted), schema.types.get(found)];
  if (outer === undefined || inner === undefined) return false;
  return texts(inner, 'Interfaces').includes(wanted) || texts(outer, 'Types').includes(found);
}

function isCompatible(type: Struct, other: Struct): boolean {
  if (text(type, 'NamedType') !== text(other, 'NamedType')) return false;
  if (text(type, 'NamedType') === '' && !isCompatible(type.Elem as Struct, other.Elem as Struct))
    return false;
  return other.NonNull !== true || type.NonNull === true;
}

/** An input object that must hold itself can never be given. */
function checkCircles(schema: SchemaTypes): void {
  const [visited, path] = [new Set<string>(), new Set<string>()];
  const visit = (name: string, type: Struct): void => {
    check(!path.has(name), `Cannot reference Input Object ${name} within itself.`);
    if (visited.has(name)) return;
    visited.add(name);
    path.add(name);
    limit('GraphQL input objects within each other', path.size, 1_000);
    for (const field of list(type, 'Fields')) {
      const { NonNull, NamedType } = field.Type as Struct;
      const next = NonNull === true ? schema.types.get(NamedType as string) : undefined;
      if (next !== undefined && text(next, 'Kind') === 'INPUT_OBJECT') visit(NamedType as string, next);
    }
    path.delete(name);
  };
  for (const [name, type] of schema.types) if (text(type, 'Kind') === 'INPUT_OBJECT') visit(name, type);
}
