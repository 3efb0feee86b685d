import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLError,
} from 'yaml';
import { formatKey, type ConfigProblem, type Fault } from './problem.js';
import { nestsTooDeeply } from './yaml-depth.js';

/** A part of the file, found by its path. */
export interface Located {
  /** The key in front of it; absent for a list's entry and for the whole file. */
  readonly key?: Scalar;
  /** Aliases followed; absent where the path leads to something that the file does not have. */
  readonly node?: Node;
  /** Where to point at: the value, or what is nearest to a value that is missing. */
  readonly offset: number;
}

/** One YAML document that knows where each of its values stands. */
export class YamlFile {
  private constructor(
    readonly name: string,
    readonly text: string,
    readonly document: Document,
    private readonly lines: LineCounter,
  ) {}

  /** Parses the text as YAML 1.2; problems instead, when it is not exactly one document with a mapping in it. */
  static parse(name: string, text: string): YamlFile | readonly ConfigProblem[] {
    const lines = new LineCounter();
    // The parser is recursive, and a stack that runs out inside a regular expression ends the process.
    if (nestsTooDeeply(text)) {
      return [
        {
          file: name,
          line: 1,
          column: 1,
          key: '',
          wrong: 'nests too deeply',
          mend: 'no key needs more than six levels',
        },
      ];
    }
    const document = parseDocument(text, {
      lineCounter: lines,
      schema: 'core',
      stringKeys: true,
      prettyErrors: false,
    });
    const file = new YamlFile(name, text, document, lines);
    const errors = explainErrors(file, [...document.errors, ...document.warnings]);
    if (errors.length > 0) return errors;
    const content = document.contents;
    if (isMap(content)) return file;
    const offset = content?.range?.[0] ?? 0;
    const empty = content === null || (isScalar(content) && content.value === null);
    const wrong = empty ? 'the file is empty' : 'the file is not a mapping of keys to values';
    return [file.problem(offset, [], { wrong, mend: 'start with the keys identity, token and policy' })];
  }

  problem(offset: number, path: readonly PropertyKey[], { wrong, mend }: Fault): ConfigProblem {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.name, line, column: col, key: formatKey(path), wrong, mend };
  }

  locate(path: readonly PropertyKey[]): Located {
    let at: Located = { node: this.document.contents!, offset: this.document.contents!.range![0] };
    for (const step of path) {
      const next = this.step(at, step);
      if (next.node === undefined) return next;
      at = next;
    }
    return at;
  }

  /** A scalar as it was written, or `undefined` for what is no short scalar on one line. */
  written(node: Node | undefined): string | undefined {
    if (!isScalar(node) || !node.range) return undefined;
    const text = this.text.slice(node.range[0], node.range[1]);
    return text === '' || text.length > 60 || text.includes('\n') ? undefined : text;
  }

  private step(from: Located, step: PropertyKey): Located {
    const { node } = from;
    if (isMap<Scalar<string>, Node>(node)) {
      const pair = node.items.find(({ key }) => key.value === step);
      if (pair !== undefined) {
        const { key, value } = pair;
        const valued = value !== null && !(isScalar(value) && value.value === null && value.source === '');
        return { key, node: this.follow(value ?? key), offset: (valued ? value : key).range![0] };
      }
    }
    if (isSeq<Node>(node) && typeof step === 'number') {
      const entry = node.items[step];
      if (entry !== undefined) return { node: this.follow(entry), offset: entry.range![0] };
    }
    return { offset: from.key?.range?.[0] ?? from.offset };
  }

  /** What an alias stands for; every other node stands for itself. */
  private follow(node: Node): Node {
    return isAlias(node) ? (node.resolve(this.document) ?? node) : node;
  }
}

/** After the first break in the YAML the parser only guesses: further breaks are echoes of it. */
function explainErrors(file: YamlFile, errors: readonly YAMLError[]): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const error of [...errors].sort((a, b) => a.pos[0] - b.pos[0])) {
    const offset = error.pos[0];
    // A plain value inside [ ] or { } ends where a brace starts.
    if (file.text.slice(offset - 1, offset + 1) === '${') {
      const mend = 'put it in quotes: "${NAME}"';
      problems.push(
        file.problem(offset - 1, [], { wrong: 'a variable inside [ ] or { } is read as YAML', mend }),
      );
      continue;
    }
    const fault = explain(error) ?? (problems.length === 0 ? broken(error) : undefined);
    if (fault !== undefined) problems.push(file.problem(offset, [], fault));
  }
  return problems;
}

function explain(error: YAMLError): Fault | undefined {
  switch (error.code) {
    case 'DUPLICATE_KEY':
      return { wrong: 'this key is given twice', mend: 'keep one of the two' };
    case 'TAB_AS_INDENT':
      return { wrong: 'a tab is used to indent', mend: 'indent with spaces' };
    case 'MULTIPLE_DOCS':
      return { wrong: 'a second YAML document starts here', mend: 'keep one document in the file' };
    case 'NON_STRING_KEY':
      return { wrong: 'this key is not a name', mend: 'write a plain name as the key' };
    case 'TAG_RESOLVE_FAILED':
      return { wrong: 'a YAML tag is used', mend: 'leave the !tag out' };
    default:
      return undefined;
  }
}

function broken(error: YAMLError): Fault {
  const wrong = `the YAML is broken: ${error.message}`;
  return { wrong, mend: 'check the indentation, the quotes and the brackets here' };
}
