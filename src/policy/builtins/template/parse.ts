import { BuiltinError } from '../builtin.js';
import { FUNCTIONS } from './functions.js';
import { limit } from '../limit.js';
import { characterLiteral, numberLiteral, stringLiteral } from './literals.js';
import type { Command, Node, Operand, Pipe } from './nodes.js';
import { type Token, tokens } from './tokens.js';

/** The templates of one text, by name; the text's own is `template`. */
export type Templates = ReadonlyMap<string, readonly Node[]>;

export const MAIN = 'template';

/** Actions within each other, and parentheses. */
const DEEPEST = 200;

/** Operands of one command. */
const MOST_OPERANDS = 1000;

/** Code units: a message names what it stumbled over, which may be the whole template. */
const LONGEST_MESSAGE = 200;

/** Variables that are known in one place: each is looked for by its name. */
const MOST_VARIABLES = 200;

/**
 * @throws BuiltinError for what Go's text/template does not parse
 * @throws LimitError for more than one decision may take
 */
export function parseTemplate(source: string): Templates {
  return new Parser(tokens(source)).whole();
}

type End = 'end' | 'else' | 'eof';

class Parser {
  private at = 0;
  private variables: string[] = ['$'];
  private loops = 0;
  private depth = 0;
  private readonly templates = new Map<string, readonly Node[]>();

  constructor(private readonly all: readonly Token[]) {}

  whole(): Templates {
    const [nodes] = this.list(true);
    this.add(MAIN, nodes);
    return this.templates;
  }

  private peek(): Token | undefined {
    return this.all[this.at];
  }

  private fail(what: string): never {
    throw new BuiltinError(`template: ${what.slice(0, LONGEST_MESSAGE)}`);
  }

  private expect(kind: Token['kind']): Token {
    this.space();
    const token = this.peek();
    if (token?.kind !== kind) this.fail(`unexpected ${describe(token)}`);
    this.at += 1;
    return token;
  }

  private space(): void {
    if (this.peek()?.kind === 'space') this.at += 1;
  }

  private deeper<T>(parse: () => T): T {
    this.depth += 1;
    limit('strings.render_template: actions within each other', this.depth, DEEPEST);
    const outcome = parse();
    this.depth -= 1;
    return outcome;
  }

  /** @param top whether `define` may stand here and the end of the text ends it */
  private list(top: boolean): [nodes: Node[], end: End] {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.peek();
      this.at += 1;
      if (token === undefined) {
        if (!top) this.fail('unexpected EOF');
        return [nodes, 'eof'];
      }
      if (token.kind === 'text') {
        nodes.push(token as Node);
        continue;
      }
      this.space();
      const word = this.peek();
      const name = word?.kind === 'word' ? word.text : '';
      if (name === 'end' || name === 'else') {
        if (top) this.fail(`unexpected {{${name}}}`);
        this.at += 1;
        if (name === 'end') this.expect('close');
        return [nodes, name];
      }
      const node = this.action(name, top);
      if (node !== undefined) nodes.push(node);
    }
  }

  private action(name: string, top: boolean): Node | undefined {
    switch (name) {
      case 'if':
      case 'with':
      case 'range':
        this.at += 1;
        return this.deeper(() => this.control(name));
      case 'template':
        this.at += 1;
        return this.invocation();
      case 'block':
        this.at += 1;
        return this.deeper(() => this.block());
      case 'define':
        if (!top) this.fail('unexpected {{define}}');
        this.at += 1;
        this.define();
        return undefined;
      case 'break':
      case 'continue':
        this.at += 1;
        this.expect('close');
        if (this.loops === 0) this.fail(`{{${name}}} outside {{range}}`);
        return { kind: name };
      default:
        return { kind: 'action', pipe: this.pipe('close') };
    }
  }

  private control(kind: 'if' | 'with' | 'range'): Node {
    const known = this.variables.length;
    const pipe = this.pipe('close', kind === 'range');
    if (kind === 'range') this.loops += 1;
    const [body, end] = this.list(false);
    if (kind === 'range') this.loops -= 1;
    const otherwise = end === 'else' ? this.otherwise(kind) : [];
    this.variables.length = known;
    return { kind, pipe, body, otherwise };
  }

  /** `{{else}}`, or `{{else if …}}` and `{{else with …}}`, which end with the same `{{end}}`. */
  private otherwise(kind: 'if' | 'with' | 'range'): Node[] {
    this.space();
    const token = this.peek();
    if (token?.kind === 'word' && token.text === kind && kind !== 'range') {
      this.at += 1;
      return [this.deeper(() => this.control(kind))];
    }
    this.expect('close');
    const [nodes, end] = this.list(false);
    if (end === 'else') this.fail('expected end; found {{else}}');
    return nodes;
  }

  private name(): string {
    const token = this.expect('string') as { text: string };
    return stringLiteral(token.text);
  }

  private invocation(): Node {
    const name = this.name();
    this.space();
    if (this.peek()?.kind === 'close') {
      this.at += 1;
      return { kind: 'template', name, pipe: undefined };
    }
    return { kind: 'template', name, pipe: this.pipe('close') };
  }

  private define(): void {
    const name = this.name();
    this.expect('close');
    this.separately(name);
  }

  private block(): Node {
    const name = this.name();
    const pipe = this.pipe('close');
    this.separately(name);
    return { kind: 'template', name, pipe };
  }

  /** A template of its own, which sees none of the variables around it. */
  private separately(name: string): void {
    const [variables, loops] = [this.variables, this.loops];
    [this.variables, this.loops] = [['$'], 0];
    const [nodes, end] = this.list(false);
    if (end === 'else') this.fail('unexpected {{else}} in define clause');
    [this.variables, this.loops] = [variables, loops];
    this.add(name, nodes);
  }

  /** What is empty gives way, and does not replace what isn't. */
  private add(name: string, nodes: readonly Node[]): void {
    const known = this.templates.get(name);
    if (known === undefined || isEmpty(known)) this.templates.set(name, nodes);
    else if (!isEmpty(nodes)) this.fail(`multiple definition of template "${name}"`);
  }

  private pipe(end: 'close' | ')', range = false): Pipe {
    const { variables, assigns } = this.declaration(range);
    const commands: Command[] = [];
    for (;;) {
      this.space();
      const token = this.peek();
      if (token?.kind === end) {
        this.at += 1;
        if (commands.length === 0) this.fail('missing value');
        const constant = commands
          .slice(1)
          .find(([first]) => first.kind === 'constant' || first.kind === 'dot' || first.kind === 'nil');
        if (constant !== undefined) this.fail('non executable command in pipeline');
        return { variables, assigns, commands };
      }
      commands.push(this.command(end));
    }
  }

  /** To Go's parser an assignment makes a variable known as well; it is the execution that misses it then. */
  private declaration(range: boolean): { variables: string[]; assigns: boolean } {
    this.space();
    const start = this.at;
    const variables: string[] = [];
    while (this.peek()?.kind === 'variable') {
      variables.push((this.peek() as { text: string }).text);
      this.at += 1;
      this.space();
      const token = this.peek();
      if (token?.kind === ':=' || token?.kind === '=') {
        this.at += 1;
        this.variables.push(...variables);
        limit('strings.render_template: variables', this.variables.length, MOST_VARIABLES);
        return { variables, assigns: token.kind === '=' };
      }
      if (token?.kind !== ',') break;
      if (!range || variables.length > 1) this.fail('too many declarations');
      this.at += 1;
      this.space();
    }
    this.at = start;
    return { variables: [], assigns: false };
  }

  private command(end: 'close' | ')'): Command {
    const operands: Operand[] = [];
    for (;;) {
      this.space();
      const operand = this.operand();
      if (operand !== undefined) operands.push(operand);
      limit('strings.render_template: operands of one command', operands.length, MOST_OPERANDS);
      const token = this.peek();
      if (operand !== undefined && token?.kind === 'space') continue;
      if (token?.kind === 'pipe') {
        this.at += 1;
        break;
      }
      if (token?.kind === end) break;
      this.fail(`unexpected ${describe(token)} in operand`);
    }
    const [first, ...rest] = operands;
    if (first === undefined) this.fail('empty command');
    return [first, ...rest];
  }

  private operand(): Operand | undefined {
    const term = this.term();
    if (term === undefined) return undefined;
    const names: string[] = [];
    while (this.peek()?.kind === 'field') {
      names.push((this.peek() as { text: string }).text.slice(1));
      this.at += 1;
    }
    if (names.length === 0) return term;
    if (term.kind === 'field') return { kind: 'field', names: [...term.names, ...names] };
    if (term.kind === 'variable') return { ...term, names: [...term.names, ...names] };
    if (term.kind === 'constant' || term.kind === 'nil' || term.kind === 'dot')
      this.fail('unexpected . after term');
    return { kind: 'chain', of: term, names };
  }

  private term(): Operand | undefined {
    const token = this.peek();
    switch (token?.kind) {
      case 'word':
        this.at += 1;
        return this.word(token.text);
      case 'dot':
        this.at += 1;
        return { kind: 'dot' };
      case 'field':
        this.at += 1;
        return { kind: 'field', names: [token.text.slice(1)] };
      case 'variable':
        this.at += 1;
        if (!this.variables.includes(token.text)) this.fail(`undefined variable "${token.text}"`);
        return { kind: 'variable', name: token.text, names: [] };
      case 'string':
        this.at += 1;
        return { kind: 'constant', value: stringLiteral(token.text) };
      case 'character':
        this.at += 1;
        return { kind: 'constant', value: characterLiteral(token.text) };
      case 'number':
        this.at += 1;
        return { kind: 'constant', value: numberLiteral(token.text) };
      case '(':
        this.at += 1;
        return this.deeper(() => ({ kind: 'pipe', pipe: this.pipe(')') }));
      default:
        return undefined;
    }
  }

  private word(text: string): Operand {
    if (text === 'true' || text === 'false') return { kind: 'constant', value: text === 'true' };
    if (text === 'nil') return { kind: 'nil' };
    if (!Object.hasOwn(FUNCTIONS, text)) this.fail(`function "${text}" not defined`);
    return { kind: 'function', name: text };
  }
}

function isEmpty(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.kind === 'text' && /^\p{White_Space}*$/u.test(node.text));
}

function describe(token: Token | undefined): string {
  if (token === undefined) return 'EOF';
  return 'text' in token ? `"${token.text}"` : `"${token.kind}"`;
}
