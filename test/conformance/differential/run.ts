import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { HOST_BUILTINS } from '../../../src/policy/builtins/index.js';
import { formatValue, parseValue } from '../../../src/policy/text.js';
import { equalValues, type RegoObject, type RegoSet } from '../../../src/policy/value.js';
import { PolicyInstance } from '../../../src/policy/wasm/instance.js';
import { compilePolicy } from '../../../src/policy/wasm/module.js';
import { cacheFolder } from '../../support/cache.js';
import { madeOnce, run } from '../go.js';
import { generate } from './generate.js';
import { render, smaller, type Rule } from './policy.js';
import { Random } from '../../support/random.js';
import { data, input } from './values.js';

export interface Pairs {
  readonly rules: readonly Rule[];
  readonly data: string;
  readonly inputs: readonly string[];
}

export interface Difference {
  readonly of: Pairs;
  readonly input: string;
  readonly topdown: string;
  readonly wasm: string;
}

export interface Outcome {
  /** Pairs of a policy and an input that both sides answered. */
  readonly compared: number;
  /** Of these, how many came to an error on both. */
  readonly failing: number;
  /** Policies that OPA's compiler does not take, with what it says. */
  readonly refused: readonly string[];
  readonly differences: readonly Difference[];
}

export function pairs(seed: number, policies: number, inputsEach: number): Pairs[] {
  return Array.from({ length: policies }, (_, index) => {
    const random = new Random(seed * 1_000_003 + index);
    return {
      rules: generate(random),
      data: data(random),
      inputs: Array.from({ length: inputsEach }, () => input(random)),
    };
  });
}

/** What OPA says of each policy: see ../opa/differ.go. */
interface Answers {
  readonly error?: string;
  readonly wasm?: string;
  readonly answers: readonly string[] | null;
}

/** @param keep the answers, for when the same is asked again */
export async function compare(program: string, all: readonly Pairs[], keep: boolean): Promise<Outcome> {
  const asked = JSON.stringify(all.map((one) => ({ ...one, rules: undefined, module: render(one.rules) })));
  const ask = async (folder: string) => {
    await writeFile(join(folder, 'policies.json'), asked);
    await run(program, ['differ', join(folder, 'policies.json'), folder]);
  };
  if (!keep) {
    const folder = await mkdtemp(join(tmpdir(), 'differential-'));
    try {
      await ask(folder);
      return await compareAnswers(folder, all);
    } finally {
      await rm(folder, { recursive: true });
    }
  }
  const digest = createHash('sha256').update(program).update(asked).digest('hex').slice(0, 16);
  const folder = await madeOnce(join(cacheFolder('conformance'), `differential-${digest}`), ask);
  return compareAnswers(folder, all);
}

async function compareAnswers(folder: string, all: readonly Pairs[]): Promise<Outcome> {
  const answers = JSON.parse(await readFile(join(folder, 'answers.json'), 'utf8')) as Answers[];
  const refused: string[] = [];
  const differences: Difference[] = [];
  let [compared, failing] = [0, 0];
  for (const [index, of] of all.entries()) {
    const { error, wasm, answers: wanted } = answers[index]!;
    if (error !== undefined) {
      refused.push(error);
      continue;
    }
    const module = await compilePolicy(gunzipSync(await readFile(join(folder, wasm!))));
    let instance: PolicyInstance | undefined;
    for (const [i, text] of of.inputs.entries()) {
      compared++;
      instance ??= open(module, of.data);
      const got = evaluate(instance, text);
      if (failed(got)) instance = undefined;
      const topdown = wanted![i]!;
      if (failed(topdown) && failed(got)) failing++;
      else if (!same(topdown, got)) differences.push({ of, input: text, topdown, wasm: got });
    }
  }
  return { compared, failing, refused, differences };
}

function open(module: ConstructorParameters<typeof PolicyInstance>[0], data: string): PolicyInstance {
  const instance = new PolicyInstance(module, { initial: 64, maximum: 4096 }, HOST_BUILTINS);
  instance.parse(data);
  return instance;
}

function evaluate(instance: PolicyInstance, input: string): string {
  try {
    const [entrypoint] = instance.entrypoints.keys();
    const results = parseValue(instance.evaluate(entrypoint!, input, { now: 0n })) as RegoSet;
    return results.size === 0 ? '' : formatValue((results.elements[0] as RegoObject).get('x')!);
  } catch (error) {
    return `error: ${(error as Error).message} ${(error as Error).cause ?? ''}`.trim();
  }
}

function failed(answer: string): boolean {
  return answer.startsWith('error: ');
}

/** Equal as values: `-0` and `1.0` are 0 and 1. */
function same(a: string, b: string): boolean {
  if (a === b) return true;
  return (
    ![a, b].some((answer) => answer === '' || failed(answer)) && equalValues(parseValue(a), parseValue(b))
  );
}

/** The least policy that still shows a difference, on one input. */
export async function shrink(program: string, difference: Difference): Promise<Difference> {
  let least = difference;
  for (;;) {
    const candidates = [...smaller(least.of.rules)].map((rules) => ({
      ...least.of,
      rules,
      inputs: [least.input],
    }));
    const { differences } = await compare(program, candidates, false);
    const [next] = differences;
    if (next === undefined) return least;
    least = next;
  }
}
