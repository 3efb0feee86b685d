import { isMap, isScalar, isSeq, type Node } from 'yaml';
import type { z } from 'zod';
import { configJsonSchema, type JsonSchema } from './json-schema.js';
import type { ConfigProblem, Fault } from './problem.js';
import { closest } from './suggest.js';
import type { YamlFile } from './yaml-file.js';

type Issue = z.core.$ZodIssue;

/**
 * Says what the schema found wrong in the operator's words: where in the file, which key, what, and what to
 * write instead. Only text that stands in the file is ever quoted, since a value may be a secret.
 */
export function explainIssues(
  file: YamlFile,
  issues: readonly Issue[],
  broken: ReadonlySet<Node>,
): ConfigProblem[] {
  if (broken.has(file.document.contents!)) return [];
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return unknownKeys(file, issue.path, issue.keys, broken);
    const { key, node, offset } = file.locate(issue.path);
    if (issue.code === 'invalid_key') {
      if (broken.has(key!)) return [];
      return issue.issues.map((inner) => file.problem(key!.range![0], issue.path, explain(file, inner, key)));
    }
    if (node !== undefined && broken.has(node)) return [];
    return [file.problem(offset, issue.path, explain(file, issue, node))];
  });
}

function unknownKeys(
  file: YamlFile,
  path: readonly PropertyKey[],
  keys: readonly string[],
  broken: ReadonlySet<Node>,
): ConfigProblem[] {
  const known = knownKeys(path);
  return keys.flatMap((name) => {
    const { key } = file.locate([...path, name]);
    if (broken.has(key!)) return [];
    const near = closest(name, known);
    const mend = near === undefined ? `the keys here are ${known.join(', ')}` : `did you mean ${near}?`;
    return [file.problem(key!.range![0], [...path, name], { wrong: 'is not a key', mend })];
  });
}

function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: JsonSchema | undefined = configJsonSchema();
  for (const step of path) {
    const rest: JsonSchema | boolean | undefined = schema?.additionalProperties;
    if (typeof step === 'number') schema = schema?.items;
    else schema = schema?.properties?.[String(step)] ?? (typeof rest === 'object' ? rest : undefined);
  }
  return Object.keys(schema?.properties ?? {});
}

function explain(file: YamlFile, issue: Issue, node: Node | undefined): Fault {
  const written = file.written(node);
  const quoted = written === undefined ? '' : `\`${written}\` `;
  switch (issue.code) {
    case 'custom': {
      const { mend, quote } = issue.params as { mend: string; quote: boolean };
      return { wrong: `${quote ? quoted : ''}${issue.message}`, mend };
    }
    case 'invalid_type':
      return mistyped(issue.expected, node, written);
    case 'invalid_value':
      if (node === undefined) return missing();
      return { wrong: `${quoted}is not one of its values`, mend: `write ${alternatives(issue.values)}` };
    case 'too_small':
      if (issue.origin === 'string') return { wrong: 'is empty', mend: 'write a value' };
      if (issue.origin === 'array') return { wrong: 'is an empty list', mend: 'list at least one' };
      return { wrong: `${quoted}is too small`, mend: `write ${issue.minimum} or more` };
    case 'too_big':
      return { wrong: `${quoted}is too large`, mend: `write ${issue.maximum} or less` };
    default:
      return { wrong: `${quoted}is not valid`, mend: 'see the JSON Schema: countersign config schema' };
  }
}

function missing(): Fault {
  return { wrong: 'is missing', mend: 'add the key; it has no default' };
}

const EXPECTED: Record<string, readonly [noun: string, mend: string]> = {
  string: ['text', 'write one value, without [ ], { } or - in front of it'],
  number: ['a whole number', 'write a whole number, without quotes'],
  int: ['a whole number', 'write a whole number, without quotes'],
  boolean: ['true or false', 'write true or false, without quotes'],
  array: ['a list', 'write it as a list, even for one entry: [ … ]'],
  object: ['a mapping', 'write keys and values below it'],
  record: ['a mapping', 'write keys and values below it'],
};

function mistyped(expected: string, node: Node | undefined, written: string | undefined): Fault {
  if (node === undefined) return missing();
  if (isScalar(node) && node.value === null) {
    return { wrong: 'has no value', mend: 'give it one, or leave the key out where it has a default' };
  }
  const [noun, mend] = EXPECTED[expected] ?? [expected, 'see the JSON Schema: countersign config schema'];
  const wrong = `has to be ${noun}, and is ${kind(node)}`;
  if (expected !== 'string' || written === undefined) return { wrong, mend };
  return { wrong, mend: `put it in quotes: "${written}"` };
}

function kind(node: Node): string {
  if (isMap(node)) return 'a mapping';
  if (isSeq(node)) return 'a list';
  const value: unknown = isScalar(node) ? node.value : undefined;
  return typeof value === 'number' ? 'a number' : typeof value === 'boolean' ? 'true or false' : 'text';
}

function alternatives(values: readonly unknown[]): string {
  const names = values.map(String);
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
