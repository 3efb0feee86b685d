import { BuiltinError } from '../builtin.js';
import { sprint } from '../go/printf.js';
import { GoInt, GoJsonNumber, type GoValue, isMap, isSlice, typeName } from '../go/values.js';
import { Budget, limit } from '../limit.js';
import { FUNCTIONS, truth, type Value } from './functions.js';
import type { Command, Node, Operand, Pipe } from './nodes.js';
import { MAIN, type Templates } from './parse.js';

/** Characters that a template may write, and hand to functions: variables hold what they made of them. */
const LONGEST = 4 * 1024 * 1024;

/** Nodes and operands that it may come by: ranges within each other multiply. */
const MOST_STEPS = 500_000;

/** Actions within each other, also those of templates that invoke each other. */
const DEEPEST = 500;

/**
 * What a template writes with this data (package text/template).
 *
 * @throws BuiltinError where Go's would fail
 * @throws LimitError for a template that does not come to an end
 */
export function execute(templates: Templates, data: GoValue): string {
  return new Execution(templates).whole(data);
}

/** None is what the list of a template ends with; the others end the list around them too. */
type Signal = 'break' | 'continue' | undefined;

/** Nothing has been piped in, which is not the same as no value. */
const NOTHING = Symbol('nothing');

type Piped = Value | typeof NOTHING;

interface Scope {
  readonly dot: Value;
  readonly variables: { readonly name: string; value: Value }[];
}

class Execution {
  private readonly out: string[] = [];
  private readonly length = new Budget(LONGEST, `strings.render_template: more than ${LONGEST} characters`);
  private readonly steps = new Budget(MOST_STEPS, `strings.render_template: more than ${MOST_STEPS} steps`);
  private depth = 0;

  constructor(private readonly templates: Templates) {}

  whole(data: GoValue): string {
    this.invoke(MAIN, data);
    return this.out.join('');
  }

  private invoke(name: string, dot: Value): void {
    const nodes = this.templates.get(name);
    if (nodes === undefined) throw new BuiltinError(`template: template "${name}" not defined`);
    this.list(nodes, { dot, variables: [{ name: '$', value: dot }] });
  }

  private deeper<T>(act: () => T): T {
    this.depth += 1;
    limit('strings.render_template: actions within each other', this.depth, DEEPEST);
    const outcome = act();
    this.depth -= 1;
    return outcome;
  }

  private write(text: string): void {
    this.length.spend(text.length);
    this.out.push(text);
  }

  private list(nodes: readonly Node[], scope: Scope): Signal {
    for (const node of nodes) {
      const signal = this.node(node, scope);
      if (signal !== undefined) return signal;
    }
    return undefined;
  }

  private node(node: Node, scope: Scope): Signal {
    this.steps.spend(1);
    switch (node.kind) {
      case 'text':
        this.write(node.text);
        return undefined;
      case 'action': {
        const value = this.pipe(node.pipe, scope);
        if (node.pipe.variables.length === 0) this.write(shown(value));
        return undefined;
      }
      case 'template':
        this.deeper(() => this.invoke(node.name, node.pipe && this.pipe(node.pipe, scope)));
        return undefined;
      case 'break':
      case 'continue':
        return node.kind;
      default: {
        const known = scope.variables.length;
        const value = this.pipe(node.pipe, scope);
        const signal = this.deeper(() =>
          node.kind === 'range' ? this.range(node, value, scope) : this.branch(node, value, scope),
        );
        scope.variables.length = known;
        return signal;
      }
    }
  }

  private branch(node: Node & { kind: 'if' | 'with' | 'range' }, value: Value, scope: Scope): Signal {
    if (!truth(value)) return this.list(node.otherwise, scope);
    return this.list(node.body, node.kind === 'with' ? { ...scope, dot: value } : scope);
  }

  private range(node: Node & { kind: 'if' | 'with' | 'range' }, value: Value, scope: Scope): Signal {
    const { variables, assigns } = node.pipe;
    const known = scope.variables.length;
    let any = false;
    for (const [index, item] of this.items(value, variables.length)) {
      any = true;
      this.steps.spend(1);
      const values = variables.length > 1 ? [index, item] : [item];
      for (const [i, name] of variables.entries()) {
        if (assigns) this.assign(scope, name, values[i]);
        else scope.variables[known - variables.length + i]!.value = values[i];
      }
      const signal = this.list(node.body, { ...scope, dot: item });
      scope.variables.length = known;
      if (signal === 'break') break;
    }
    if (any) return undefined;
    // A break in the else part ends this range too, and none around it.
    return this.list(node.otherwise, scope) === 'continue' ? 'continue' : undefined;
  }

  private *items(value: Value, variables: number): Generator<[Value, Value]> {
    if (value === undefined || value === null) return;
    if (value instanceof GoInt) {
      if (variables > 1)
        throw new BuiltinError("template: can't use an integer to iterate over more than one variable");
      for (let i = 0n; i < value.value; i++) yield [undefined, new GoInt(i, value.type)];
    } else if (isSlice(value)) {
      for (const [i, item] of value.entries()) yield [new GoInt(BigInt(i)), item];
    } else if (isMap(value)) yield* value;
    else throw new BuiltinError(`template: range can't iterate over ${typeName(value)}`);
  }

  private assign(scope: Scope, name: string, value: Value): void {
    this.variable(scope, name).value = value;
  }

  private variable(scope: Scope, name: string): Scope['variables'][number] {
    const found = scope.variables.findLast((variable) => variable.name === name);
    if (found === undefined) throw new BuiltinError(`template: undefined variable: ${name}`);
    return found;
  }

  /** An outcome that is nil is none: what holds nothing has no value. */
  private pipe({ variables, assigns, commands }: Pipe, scope: Scope): Value {
    let piped: Piped = NOTHING;
    for (const command of commands) piped = this.command(command, piped, scope) ?? undefined;
    const value = piped as Value;
    for (const name of variables) {
      if (assigns) this.assign(scope, name, value);
      else scope.variables.push({ name, value });
    }
    return value;
  }

  private command([first, ...rest]: Command, piped: Piped, scope: Scope): Value {
    this.steps.spend(1);
    const alone = rest.length === 0 && piped === NOTHING;
    switch (first.kind) {
      case 'function':
        return this.call(first.name, rest, piped, scope);
      case 'field':
        return fields(scope.dot, first.names, alone);
      case 'chain':
        return fields(this.chained(first.of, scope), first.names, alone);
      case 'variable':
        if (first.names.length > 0) return fields(this.variable(scope, first.name).value, first.names, alone);
    }
    if (!alone) throw new BuiltinError("template: can't give argument to non-function");
    if (first.kind === 'nil') throw new BuiltinError('template: nil is not a command');
    return this.operand(first, scope);
  }

  private operand(operand: Operand, scope: Scope): Value {
    this.steps.spend(1);
    switch (operand.kind) {
      case 'dot':
        return scope.dot;
      case 'nil':
        return undefined;
      case 'constant':
        return operand.value;
      case 'function':
        return this.call(operand.name, [], NOTHING, scope);
      case 'field':
        return fields(scope.dot, operand.names, true);
      case 'variable':
        return fields(this.variable(scope, operand.name).value, operand.names, true);
      case 'chain':
        return fields(this.chained(operand.of, scope), operand.names, true);
      case 'pipe':
        return this.deeper(() => this.pipe(operand.pipe, scope));
    }
  }

  private chained(of: Operand, scope: Scope): Value {
    if (of.kind === 'nil') throw new BuiltinError('template: indirection through explicit nil');
    return this.operand(of, scope);
  }

  private call(name: string, operands: readonly Operand[], piped: Piped, scope: Scope): Value {
    const { least, most, call } = FUNCTIONS[name]!;
    const count = operands.length + (piped === NOTHING ? 0 : 1);
    if (count < least || count > most)
      throw new BuiltinError(`template: wrong number of args for ${name}: want ${least} got ${count}`);
    const values: Value[] = [];
    for (const operand of operands) {
      const value = this.operand(operand, scope);
      if ((name === 'and' || name === 'or') && truth(value) === (name === 'or')) return value;
      values.push(value);
    }
    if (piped !== NOTHING) values.push(piped);
    for (const value of values) this.length.spend(weight(value));
    const outcome = call(...values);
    this.length.spend(weight(outcome));
    return outcome;
  }
}

function shown(value: Value): string {
  if (value === undefined) return '<no value>';
  return typeof value === 'string' ? value : sprint(value);
}

/** How much there is to go through. */
function weight(value: Value): number {
  if (value instanceof GoJsonNumber) return value.text.length;
  return typeof value === 'string' || (value && isSlice(value)) ? value.length : 0;
}

/** @param alone whether there is no argument, which a field does not take */
function fields(value: Value, names: readonly string[], alone: boolean): Value {
  let found = value;
  for (const [i, name] of names.entries()) {
    if (found === undefined) continue;
    if (found === null) throw new BuiltinError(`template: nil pointer evaluating interface {}.${name}`);
    if (!isMap(found))
      throw new BuiltinError(`template: can't evaluate field ${name} in type ${typeName(found)}`);
    if (i === names.length - 1 && !alone)
      throw new BuiltinError(`template: ${name} is not a method but has arguments`);
    found = found.get(name);
  }
  return found;
}
