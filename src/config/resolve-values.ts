import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, type Scalar } from 'yaml';
import type { ConfigProblem, Fault } from './problem.js';
import { type Environment, substituteVariables } from './variables.js';
import type { YamlFile } from './yaml-file.js';

/** Aliases in a file, and how often they may multiply one value (`maxAliasCount` of the YAML library). */
const MAX_ALIASES = 100;

export interface Values {
  /** Plain objects, arrays and scalars, as JSON has them. */
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /** Nodes that a problem was already found with: what else may be said of them is beside the point. */
  readonly broken: ReadonlySet<Node>;
}

/** Fills in the environment's variables and turns the YAML into plain values. */
export function resolveValues(file: YamlFile, environment: Environment): Values {
  const walk = new Walk(file, environment);
  walk.visit(file.document.contents!, [], []);
  const { problems, broken } = walk;
  try {
    if (!walk.aliasBroken)
      return { value: file.document.toJS({ maxAliasCount: MAX_ALIASES }), problems, broken };
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const offset = file.document.contents!.range![0];
    problems.push(
      file.problem(offset, [], {
        wrong: 'the aliases (*name) stand for too much',
        mend: 'write the values out',
      }),
    );
  }
  // Without its aliases the file has no values to speak of.
  return { value: {}, problems, broken: broken.add(file.document.contents!) };
}

class Walk {
  readonly problems: ConfigProblem[] = [];
  readonly broken = new Set<Node>();
  aliasBroken = false;
  private aliases = 0;

  constructor(
    private readonly file: YamlFile,
    private readonly environment: Environment,
  ) {}

  visit(node: Node, path: readonly PropertyKey[], ancestors: readonly Node[]): void {
    if (isAlias(node)) {
      this.alias(node, path, ancestors);
      return;
    }
    if (node.tag !== undefined)
      this.report(node, path, { wrong: 'a YAML tag is used', mend: 'leave the !tag out' });
    if (isScalar(node)) this.scalar(node, path);
    if (isSeq<Node>(node))
      node.items.forEach((item, i) => this.visit(item, [...path, i], [...ancestors, node]));
    if (isMap<Scalar<string>, Node>(node)) {
      for (const { key, value } of node.items) {
        const inner = [...path, key.value];
        this.key(key, inner);
        if (value) this.visit(value, inner, [...ancestors, node]);
      }
    }
  }

  private alias(node: Alias, path: readonly PropertyKey[], ancestors: readonly Node[]): void {
    this.aliases++;
    if (this.aliases <= MAX_ALIASES) {
      const target = node.resolve(this.file.document);
      if (target !== undefined && !ancestors.includes(target)) return;
      const wrong =
        target === undefined
          ? 'the alias has no anchor before it'
          : 'the alias stands for something that it is part of';
      this.report(node, path, { wrong, mend: 'write the value out; text that starts with * goes in quotes' });
    } else if (this.aliases === MAX_ALIASES + 1) {
      this.report(node, path, {
        wrong: `more than ${MAX_ALIASES} aliases (*name)`,
        mend: 'write the values out',
      });
    }
    this.aliasBroken = true;
  }

  private key(key: Scalar<string>, path: readonly PropertyKey[]): void {
    if (key.value.includes('${')) {
      this.report(key, path, { wrong: 'variables are not filled in in keys', mend: 'write the name itself' });
    } else if (key.value === '__proto__') {
      this.report(key, path, { wrong: 'this name cannot be a key', mend: 'choose another name' });
    }
  }

  private scalar(node: Scalar, path: readonly PropertyKey[]): void {
    for (const { offset, ...fault } of substituteVariables(
      this.file.document,
      this.file.text,
      node,
      this.environment,
    )) {
      this.problems.push(this.file.problem(offset, path, fault));
      this.broken.add(node);
    }
  }

  private report(node: Node, path: readonly PropertyKey[], fault: Fault): void {
    this.problems.push(this.file.problem(node.range![0], path, fault));
    this.broken.add(node);
  }
}
