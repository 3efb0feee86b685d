import type { Branch, Rule } from './policy.js';
import type { Random } from '../../support/random.js';
import { EXACT, NUMBERS, string } from './values.js';

type Type = 'number' | 'string' | 'boolean' | 'array' | 'set' | 'object';

/** What an expression may refer to. */
interface Scope {
  readonly variables: readonly (readonly [name: string, type: Type | 'any'])[];
  readonly rules: readonly (readonly [name: string, type: Type])[];
  /** Functions of a number and a string to a string. */
  readonly functions: readonly string[];
}

const TYPES: readonly Type[] = ['number', 'string', 'boolean', 'array', 'set', 'object'];

/** A policy of a few rules, each of which may refer to those before it. */
export function generate(random: Random): Rule[] {
  const rules: Rule[] = [];
  const known: [string, Type][] = [];
  const functions: string[] = [];
  const scope = (): Scope => ({ variables: [], rules: [...known], functions: [...functions] });
  for (let index = 0; index < 6; index++) {
    const writer = new Writer(random, scope());
    const name = `r${index}`;
    switch (random.below(6)) {
      case 0: {
        rules.push(writer.function(`f${index}`));
        functions.push(`f${index}`);
        break;
      }
      case 1:
        rules.push({
          name,
          branches: [writer.branch((value) => `${name} contains ${value}`, random.of(TYPES))],
        });
        known.push([name, 'set']);
        break;
      case 2:
        rules.push(writer.partialObject(name));
        known.push([name, 'object']);
        break;
      default: {
        const type = random.of(TYPES);
        rules.push(writer.complete(name, type));
        known.push([name, type]);
      }
    }
  }
  return rules;
}

class Writer {
  private variables: (readonly [string, Type | 'any'])[];
  private named = 0;

  constructor(
    private readonly random: Random,
    private readonly scope: Scope,
  ) {
    this.variables = [...scope.variables];
  }

  complete(name: string, type: Type): Rule {
    const first = this.branch((value) => `${name} := ${value}`, type);
    const others = this.random.once(2)
      ? this.random
          .some(1, 2, () => this.branch((value) => `:= ${value}`, type))
          .filter(({ body }) => body.length > 0)
      : [];
    const branches = first.body.length === 0 ? [first] : [first, ...others];
    return {
      name,
      branches,
      ...(this.random.once(3) && { standing: `default ${name} := ${this.literal(type)}` }),
    };
  }

  partialObject(name: string): Rule {
    return {
      name,
      branches: [this.branch((value) => `${name}[${this.expression('string', 1)}] := ${value}`, 'number')],
    };
  }

  function(name: string): Rule {
    const parameters: Writer['variables'] = [['p', 'number'], ['q', 'string']]; // prettier-ignore
    const branch = (head: (value: string) => string): Branch => {
      const inner = new Writer(this.random, { ...this.scope, variables: parameters });
      return inner.branch(head, 'string');
    };
    return { name, branches: [branch((value) => `${name}(p, q) := ${value}`)] };
  }

  /** A body, and a head whose value may use what the body binds. */
  branch(head: (value: string) => string, type: Type): Branch {
    const before = this.variables;
    const body = this.random.some(0, 3, () => this.statement(2));
    const branch = { head: head(this.expression(type, 2)), body };
    this.variables = before;
    return branch;
  }

  private fresh(type: Type | 'any'): string {
    const name = `v${this.named++}`;
    this.variables = [...this.variables, [name, type]];
    return name;
  }

  private statement(depth: number): string {
    const { random } = this;
    switch (random.below(9)) {
      case 0: {
        const type = random.of(TYPES);
        const value = this.expression(type, depth);
        return `${this.fresh(type)} := ${value}`;
      }
      case 1: {
        const collection = this.collection(depth);
        const element = this.fresh('any');
        // Rego wants what is declared to be used.
        return `some ${element} in ${collection}; ${element} == ${element}`;
      }
      case 2: {
        const object = this.expression('object', depth);
        const [key, value] = [this.fresh('string'), this.fresh('any')];
        return `some ${key}, ${value} in ${object}; ${key} != ${value}`;
      }
      case 3:
        return this.inner(() => {
          const collection = this.collection(depth);
          const element = this.fresh('any');
          return `every ${element} in ${collection} { ${element} != 7; ${this.condition(1)} }`;
        });
      case 4:
        return `not ${this.inner(() => this.condition(depth))}`;
      case 5:
        if (this.scope.rules.length > 0) {
          const [name] = random.of(this.scope.rules);
          return random.once(2)
            ? `not ${name}`
            : `${this.fresh('any')} := ${name} with input.${random.of(['n', 's', 'list'])} as ${this.literal(random.of(TYPES))}`;
        }
        return this.condition(depth);
      default:
        return this.condition(depth);
    }
  }

  /** What is bound inside is not seen outside. */
  private inner(make: () => string): string {
    const before = this.variables;
    const text = make();
    this.variables = before;
    return text;
  }

  private collection(depth: number): string {
    return this.expression(this.random.of(['array', 'array', 'set']), depth);
  }

  private condition(depth: number): string {
    const { random } = this;
    const s = () => this.expression('string', depth - 1);
    const any = () => this.expression(random.of(TYPES), depth - 1);
    return random.of([
      () => `${this.expression('number', depth)} ${this.comparison()} ${this.expression('number', depth)}`,
      () => `${this.exact()} ${this.comparison()} ${this.exact()}`,
      () => `${s()} ${this.comparison()} ${s()}`,
      () => `input.any ${this.comparison()} ${any()}`,
      () => `${any()} in ${this.collection(depth - 1)}`,
      () => `startswith(${s()}, ${s()})`,
      () => `contains(${s()}, ${s()})`,
      () => `regex.match(\`${random.of(['^a', '[é-ÿ]+$', '(a|b)*c?', '^\\d+', '\\p{L}'])}\`, ${s()})`,
      // Of one line: no wildcard of the Wasm's own matcher matches the end of one.
      () =>
        `glob.match("${random.of(['*.b.*', 'a**', '{a,b}*', '[a-c]?', ''])}", ["."], replace(${s()}, "\\n", ""))`,
      () => `is_${random.of(['string', 'number', 'boolean', 'array', 'set', 'object', 'null'])}(input.any)`,
      () => `semver.is_valid(${s()})`,
      () => `object.subset(${this.expression('object', depth - 1)}, ${this.expression('object', 0)})`,
      () =>
        `net.cidr_contains(${random.of(['"10.0.0.0/8"', '"10.0.0.0/31"', '"::/0"', '"10.0.0.0/8x"', s()])}, ${random.of(['"10.0.0.1"', '"10.1.0.0/16"', '"10.0.0.0/7"', '"é"', '"::1"', '"::ffff:10.0.0.0/104"', s()])})`,
      () =>
        `net.cidr_intersects(${random.of(['"10.0.0.0/8"', '"::/0"', '"::ffff:10.0.0.0/100"', s()])}, ${random.of(['"10.1.0.0/16"', '"0.0.0.0/0"', '"fd00::/8"', '"10.0.0.0/8abc"', s()])})`,
      () => `strings.any_prefix_match(${random.of(['input.strs', 'data.strs', 'input.s'])}, ${s()})`,
      () => this.expression('boolean', depth - 1),
    ])();
  }

  private comparison(): string {
    return this.random.of(['==', '!=', '<', '<=', '>', '>=']);
  }

  /** A number that is only compared. */
  private exact(): string {
    return this.random.of(['input.big', 'input.n', 'input.any', this.random.of(EXACT)]);
  }

  private literal(type: Type): string {
    const { random } = this;
    switch (type) {
      case 'number':
        return random.of(NUMBERS);
      case 'string':
        return string(random);
      case 'boolean':
        return random.of(['true', 'false']);
      case 'array':
        return `[${random.some(0, 3, () => random.of([random.of(NUMBERS), string(random), 'null'])).join(', ')}]`;
      case 'set':
        return `{${random.some(1, 3, () => random.of([random.of(NUMBERS), random.of(EXACT), string(random), '[1]'])).join(', ')}}`;
      case 'object':
        return `{"a": ${random.of(NUMBERS)}, ${string(random)}: ${random.of(['null', '{1, 2}', '[]', '"x"'])}}`;
    }
  }

  private expression(type: Type, depth: number): string {
    const { random } = this;
    const variables = this.variables.filter(([, known]) => known === type);
    const rules = this.scope.rules.filter(([, known]) => known === type);
    if (variables.length > 0 && random.once(2)) return random.of(variables)[0];
    if (rules.length > 0 && random.once(5)) return random.of(rules)[0];
    if (depth <= 0 || random.once(3)) return random.once(2) ? this.literal(type) : this.given(type);
    return random.of(this.compound(type, depth - 1))();
  }

  /** From the input or the data. */
  private given(type: Type): string {
    return this.random.of(
      {
        number: ['input.n', 'input.m', 'data.nums[1]', 'data.users[input.s].level'],
        string: ['input.s', 'input.t', 'data.strs[0]', 'input.strs[0]'],
        boolean: ['input.b', 'input.any'],
        array: ['input.nums', 'input.strs', 'input.list', 'data.nums', 'data.strs'],
        set: ['{x | some x in input.list}', '{x | x := data.nums[_]}', 'object.keys(input.obj)'],
        object: ['input.obj', 'data.obj', 'data.users', 'data.users.alice'],
      }[type],
    );
  }

  private compound(type: Type, depth: number): (() => string)[] {
    const { random } = this;
    const of = (wanted: Type) => this.expression(wanted, depth);
    // Wasm goes through sets and objects in an order of its own, so lists are made of lists, or are sorted.
    const comprehension = (open: string, value: string, close: string, over: Type[]) => () =>
      this.inner(() => {
        const collection = of(random.of(over));
        const name = this.fresh('any');
        const condition = this.condition(depth);
        return `${open}${value.replaceAll('$', name)} | some ${name} in ${collection}; ${condition}${close}`;
      });
    switch (type) {
      case 'number':
        return [
          () => `(${of('number')} ${random.of(['+', '-', '*'])} ${of('number')})`,
          () => `(${of('number')} % ${random.of(['3', '7', 'input.m'])})`,
          () => `count(${of(random.of(['array', 'set', 'object', 'string']))})`,
          () => `${random.of(['sum', 'max', 'min', 'product'])}(input.nums)`,
          // Between -1 and 0 topdown has 1 for the ceiling and 0 for the floor; the Wasm reckons right.
          () =>
            random.of([
              () => `${random.of(['abs', 'round'])}(${of('number')})`,
              () => `${random.of(['ceil', 'floor'])}(abs(${of('number')}))`,
              () => `${random.of(['ceil', 'floor'])}(-1 - abs(${of('number')}))`,
            ])(),
          // Topdown takes underscores between digits, and what it makes of them is no number of JSON.
          () =>
            `to_number(${random.of(['input.s', 'input.t', '"5"', '"-1.5"', '"x"', '"1e400"', '"5 "', '"007"', '".5"', 'crypto.md5(input.s)'])})`,
          () => `indexof(${of('string')}, ${random.of(['"a"', '"é"', '"語"', '"min"', of('string')])})`,
          () => `strings.count(${of('string')}, ${of('string')})`,
          () => `semver.compare(${of('string')}, "1.2.3")`,
          () => `units.parse_bytes(${of('string')})`,
          () => `time.parse_rfc3339_ns(${of('string')})`,
          () => `bits.and(${random.of(['7', '10', 'input.n'])}, ${random.of(['3', 'input.m'])})`,
        ];
      case 'string':
        return [
          () => `${random.of(['lower', 'upper', 'trim_space', 'strings.reverse'])}(${of('string')})`,
          () => `concat(${of('string')}, ${random.of(['input.strs', 'data.strs'])})`,
          () =>
            `sprintf("${random.of(['%v', '%s', '%d', '%q', '%5v|', '%x'])} ${random.of(['%v', 'é', '%d'])}", [${of(random.of(TYPES))}, ${of('number')}])`,
          () => `substring(${of('string')}, ${random.of(['0', '1', '2'])}, ${random.of(['-1', '1', '3'])})`,
          // Before each byte, for the empty text: what topdown makes of a longer character is no text of Rego.
          () =>
            `replace(${random.of(['"a.b.c"', '""', 'urlquery.encode(input.s)'])}, ${of('string')}, ${of('string')})`,
          () => `replace(${of('string')}, "${random.of(['a', 'ab', '.', 'é', '%'])}", ${of('string')})`,
          () => `trim(${of('string')}, ${of('string')})`,
          () =>
            `format_int(${random.of([of('number'), 'input.big'])}, ${random.of(['2', '8', '10', '16', '10.0'])})`,
          () =>
            `regex.replace(${of('string')}, \`${random.of(['[a-c]', '(.)', '\\b'])}\`, "${random.of(['', '[$1]', 'x'])}")`,
          () =>
            `${random.of(['base64.encode', 'base64url.encode_no_pad', 'hex.encode', 'urlquery.encode', 'crypto.sha256', 'crypto.md5'])}(${of('string')})`,
          // Of what is text: answers are compared as JSON, of which other bytes are no string.
          () =>
            `${random.of(['base64', 'base64url'])}.decode(${random.of(['"YWJj"', '"w6nDnw=="', '"w6nDnw"', '"YQ="', `base64.encode(${of('string')})`])})`,
          () => `type_name(${of(random.of(TYPES))})`,
          () =>
            `json.marshal(${random.of(['input.any', `sprintf("<%v&>", [${of('string')}])`, of(random.of(TYPES))])})`,
          () =>
            `json.marshal(json.unmarshal(${random.of(['input.s', `json.marshal(${of(random.of(TYPES))})`])}))`,
          ...this.scope.functions.map((name) => () => `${name}(${of('number')}, ${of('string')})`),
        ];
      case 'boolean':
        return [
          () => `(${of('number')} ${this.comparison()} ${of('number')})`,
          () =>
            `json.is_valid(${random.of(['"{\\"a\\": [1, 2.50]}"', '"{"', '""', '"é"', 'input.any', `json.marshal(${of('array')})`, of('string')])})`,
          () => `base64.is_valid(${random.of(['"YWJj"', '"YWI"', '"YQ="', of('string')])})`,
          () => `endswith(${of('string')}, ${of('string')})`,
          () => `glob.match("a*", [], replace(${of('string')}, "\\n", ""))`,
          () => `regex.is_valid(${of('string')})`,
        ];
      case 'array':
        return [
          comprehension('[', '$', ']', ['array']),
          comprehension('sort({', '[$, 1]', '})', ['array', 'set', 'object']),
          () => `array.concat(${of('array')}, ${of('array')})`,
          () => `array.slice(${of('array')}, ${random.of(['0', '1'])}, ${random.of(['1', '2', '5'])})`,
          () => `array.reverse(${of('array')})`,
          () => `sort(${of(random.of(['array', 'set']))})`,
          () => `split(${of('string')}, ${random.of(['"."', '""', '"/"'])})`,
          () =>
            `numbers.range(${random.of(['0', '3', 'count(input.list)'])}, ${random.of(['4', '-1', 'count(input.s)'])})`,
          () => `numbers.range_step(0, ${random.of(['10', '7'])}, ${random.of(['2', '3'])})`,
          () => `regex.find_n("[a-z]", ${of('string')}, -1)`,
          () => `indexof_n(${of('string')}, ${of('string')})`,
          () => `time.clock(time.parse_rfc3339_ns(${of('string')}))`,
        ];
      case 'set':
        return [
          comprehension('{', '$', '}', ['array', 'set', 'object']),
          () => `(${of('set')} ${random.of(['|', '&', '-'])} ${of('set')})`,
          () => `{${of('number')}, ${of('string')}, ${of('set')}}`,
          () => `union({${of('set')}, ${of('set')}})`,
          () => 'net.cidr_expand("10.0.0.0/30")',
        ];
      case 'object':
        return [
          comprehension('{', 'sprintf("%v", [$]): $', '}', ['set', 'array']),
          () => `object.union(${of('object')}, ${of('object')})`,
          () => `object.remove(${of('object')}, {"a", ${of('string')}})`,
          () => `object.filter(${of('object')}, ["a", "b", ${of('string')}])`,
          () => `object.get(${of('object')}, "a", {})`,
          () => `{${of('string')}: ${of('array')}, "set": ${of('set')}, "n": ${of('number')}}`,
          () =>
            `json.patch(${of('object')}, [{"op": "add", "path": "${random.of(['a', 'x', '/a/b', 'é'])}", "value": ${of('number')}}])`,
          () => `json.remove(${of('object')}, ["a", "b/c"])`,
        ];
    }
  }
}
