import type {
  Definition,
  Explanation,
  InnerBody,
  Placed,
  RuleNode,
  Step,
  StepFailure,
  TermValue,
} from '../../rego/explainer.js';
import type { Paint } from './paint.js';

export interface TreeOptions {
  /** `package/rule`: names of its package are written without it. */
  readonly entrypoint: string;
  readonly paint: Paint;
  /** Whether every failure and every value is written whole. */
  readonly all: boolean;
}

/** Failures of one expression that are shown unless all are asked for. */
const MOST = 3;
/** Characters of a value. */
const LONGEST = 100;
/** Keys of an object. */
const MOST_KEYS = 12;

/** The rules that were evaluated as lines of a tree, each rule once, where it was first asked for. */
export function treeLines({ rules }: Explanation, options: TreeOptions): string[] {
  return new Tree(options).rules(rules ?? []);
}

class Tree {
  private readonly paint: Paint;
  private readonly here: string;

  constructor(private readonly options: TreeOptions) {
    this.paint = options.paint;
    this.here = `data.${options.entrypoint.split('/').slice(0, -1).join('.')}.`;
  }

  rules(nodes: readonly RuleNode[]): string[] {
    return nodes.flatMap((node) => this.rule(node));
  }

  private rule(node: RuleNode): string[] {
    const args = node.args && `(${node.args.map(({ text }) => this.clip(text)).join(', ')})`;
    const head = `${this.paint.bold(`${this.name(node.name)}${args ?? ''}`)}${this.outcome(node)}`;
    return [head, ...indented(this.definitions(node))];
  }

  private outcome({ value, definitions = [], elsewhere }: RuleNode): string {
    const byDefault = definitions.some(({ held, default: taken }) => held && taken);
    const what = value ? ` = ${this.clip(value.text)}` : ' is undefined';
    return `${what}${byDefault ? ', its default' : elsewhere ? ', see above' : ''}`;
  }

  private definitions({ definitions = [] }: RuleNode): string[] {
    return definitions.filter((one) => !one.default).flatMap((one) => this.definition(one));
  }

  private definition(definition: Definition): string[] {
    const mark = definition.held ? this.paint.good('✓') : this.paint.bad('✗');
    const head = `${mark} ${this.clip(definition.text)}  ${this.place(definition)}`;
    if (definition.mismatch) return [head, '    its arguments are not those of the call'];
    const steps = definition.steps ?? [];
    const lines = steps.flatMap((step) => this.step(step, definition.held));
    return [head, ...indented(lines)];
  }

  /** @param held whether what it is a part of held: then only that it did is of interest */
  private step(step: Step, held: boolean): string[] {
    const through = step.passed > 0;
    if (step.head && through && !step.rules && !this.options.all) return [];
    const mark = through ? this.paint.good('✓') : this.paint.bad('✗');
    const tries = step.passed + step.failed;
    const count = tries === 1 ? '' : `  (${this.count(step)})`;
    const rules = step.rules ?? [];
    // An expression that is a rule and nothing else says at once what the rule came to.
    const itself = [...rules, ...(step.failures?.[0]?.calls ?? [])].find(
      ({ name, args }) => !args && step.text.replace(/^not /, '') === this.name(name),
    );
    const line =
      `${mark} ${this.clip(step.text)}  ${this.paint.dim(`:${step.row ?? '?'}`)}${count}` +
      (itself ? `  ${this.name(itself.name)}${this.outcome(itself)}` : '');
    const told = new Set([
      ...rules.map(({ name }) => this.name(name)),
      ...(itself ? [this.name(itself.name)] : []),
    ]);
    const failures = held && through && !this.options.all ? [] : (step.failures ?? []);
    const shown = this.options.all ? failures : failures.slice(0, MOST);
    const more = failures.length === 0 ? 0 : step.failed - shown.length;
    return [
      line,
      ...indented([
        ...rules.flatMap((rule) => (rule === itself ? this.definitions(rule) : this.rule(rule))),
        ...(held ? [] : this.inner(step.inner)),
        ...shown.flatMap((failure) => this.failure(failure, told)),
        ...(more > 0 ? [this.paint.dim(`… and ${more} more`)] : []),
      ]),
    ];
  }

  private count({ passed, failed }: Step): string {
    if (failed === 0) return `${passed} values`;
    if (passed === 0) return `none of ${failed}`;
    return `${passed} of ${passed + failed} passed`;
  }

  /** @param told rules of which it is said already what they came to */
  private failure(failure: StepFailure, told: ReadonlySet<string>): string[] {
    const calls = (failure.calls ?? []).filter(({ name, args }) => args || !told.has(this.name(name)));
    const named = new Set([...told, ...calls.filter(({ args }) => !args).map(({ name }) => this.name(name))]);
    const values = (failure.values ?? []).filter(({ term }) => !named.has(term));
    const terms = [...(failure.bindings ?? []), ...values];
    return [
      ...this.terms(terms),
      ...(failure.builtin ? [`the built-in gave up: ${this.clip(failure.builtin)}`] : []),
      ...this.rules(calls),
      ...this.inner(failure.inner),
    ];
  }

  private inner(bodies: readonly InnerBody[] = []): string[] {
    return bodies.flatMap(({ kind, steps }) => [
      kind === 'every' ? 'for this element:' : 'within:',
      ...indented(steps.flatMap((step) => this.step(step, false))),
    ]);
  }

  /** On one line where they fit. */
  private terms(terms: readonly TermValue[]): string[] {
    const lines = terms.map((term) => this.term(term));
    const one = lines.join(', ');
    return one.length <= LONGEST && terms.every(({ value }) => value) && one !== '' ? [one] : lines;
  }

  private term({ term, value, missing, parent, keys, type }: TermValue): string {
    if (value) return `${term} = ${this.clip(value.text)}`;
    const what = `${term} ${this.paint.bad('is undefined')}`;
    if (missing === undefined || parent === undefined) return what;
    // Of a longer reference, the part that is not there.
    const where = missing === term ? '' : ` (there is no ${missing})`;
    if (!keys) return `${what}${where}: ${parent} is ${article(type ?? 'value')}`;
    if (keys.length === 0) return `${what}${where}: ${parent} is empty`;
    const some = keys.slice(0, this.options.all ? undefined : MOST_KEYS).join(', ');
    return `${what}${where}: ${parent} has ${some}${keys.length > MOST_KEYS && !this.options.all ? ', …' : ''}`;
  }

  private name(path: string): string {
    return path.startsWith(this.here) ? path.slice(this.here.length) : path;
  }

  private place({ file, row }: Placed): string {
    return this.paint.dim(`${file ?? '?'}:${row ?? '?'}`);
  }

  private clip(text: string): string {
    const characters = [...text.replaceAll(/\s+/g, ' ')];
    if (this.options.all || characters.length <= LONGEST) return characters.join('');
    return `${characters.slice(0, LONGEST - 1).join('')}…`;
  }
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function article(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}
