import { isRefusal } from '../errors/refusal.js';
import { stringifyExact } from '../json/exact.js';
import { HOST_BUILTINS } from '../policy/builtins/index.js';
import { readBundle } from '../policy/bundle.js';
import { toJson } from '../policy/json-value.js';
import { parseValue } from '../policy/text.js';
import type { RegoObject, RegoSet } from '../policy/value.js';
import { PAGE } from '../policy/wasm/abi.js';
import { PolicyInstance } from '../policy/wasm/instance.js';
import { compilePolicy } from '../policy/wasm/module.js';
import { compileRego } from '../rego/compiler.js';
import type { RegoSource } from '../rego/source.js';
import type { RegoTestResult } from '../rego/tester.js';
import { Failure } from './failure.js';
import type { ComparedTest } from './test-report.js';

/**
 * Evaluates tests with the evaluator that serves, too, and tells where it comes to something else than OPA's own.
 * Mocks (`with`) are part of what OPA compiles to Wasm.
 *
 * @param sources tests included
 * @throws Failure where the tests as a whole do not compile to Wasm
 */
export async function compareWithWasm(
  sources: readonly RegoSource[],
  tests: readonly RegoTestResult[],
): Promise<ComparedTest[]> {
  const reasons = new Map(tests.map((test) => [test, whyNot(test, tests)]));
  const asked = tests.filter((test) => reasons.get(test) === undefined);
  const evaluate = asked.length > 0 ? await evaluator(sources, asked.map(entrypointOf)) : undefined;
  return tests.map((test) => {
    const notComparable = reasons.get(test);
    return { ...test, ...(notComparable !== undefined ? { notComparable } : compare(test, evaluate!)) };
  });
}

/** A rule is asked for by its name: where a name does not tell, OPA's tester numbers, and Wasm cannot. */
function whyNot(test: RegoTestResult, all: readonly RegoTestResult[]): string | undefined {
  if (test.outcome === 'skip') return 'it is skipped';
  if (test.outcome === 'error') return 'it ends with an error';
  const name = test.name.replace(/#\d+$/, '');
  if (
    all.some(
      (other) => other !== test && other.package === test.package && other.name.replace(/#\d+$/, '') === name,
    )
  )
    return `there are several tests of the name ${name}`;
  if (!/^[\w.]+$/.test(`${test.package}.${name}`)) return 'its name is not made of plain words';
  return undefined;
}

function entrypointOf(test: RegoTestResult): string {
  return `${test.package}.${test.name}`.replaceAll('.', '/');
}

type Evaluate = (entrypoint: string) => unknown;

/** @returns what gives an entrypoint's value as JSON, undefined where there is none, and throws as the instance does */
async function evaluator(sources: readonly RegoSource[], entrypoints: readonly string[]): Promise<Evaluate> {
  const compiled = await compileRego(sources, { entrypoints });
  if (isRefusal(compiled)) throw new Failure(`--wasm: ${compiled.detail}`, 2);
  const bundle = await readBundle(compiled.bundle);
  if (isRefusal(bundle)) throw new Failure(`--wasm: ${bundle.detail}`, 2);
  const module = await compilePolicy(bundle.wasm);
  const data = stringifyExact(bundle.data);
  const initial = 32 + Math.ceil((bundle.wasm.length + Buffer.byteLength(data) * 13) / PAGE);
  const open = () => {
    const size = { initial, maximum: Math.min(initial + 4096, 65_536) };
    const made = new PolicyInstance(module, size, HOST_BUILTINS);
    made.parse(data);
    return made;
  };
  let instance: PolicyInstance | undefined;
  return (entrypoint) => {
    instance ??= open();
    try {
      const now = BigInt(Date.now()) * 1_000_000n;
      for (const result of parseValue(instance.evaluate(entrypoint, undefined, { now })) as RegoSet)
        return toJson((result as RegoObject).get('result')!);
      return undefined;
    } catch (error) {
      // It may have stopped anywhere, so the next test gets another.
      instance = undefined;
      throw error;
    }
  };
}

const MISSING = /^the policy calls the built-in (\S+), which is not here$/;

function compare(test: RegoTestResult, evaluate: Evaluate): Pick<ComparedTest, 'differs' | 'notComparable'> {
  let value: unknown;
  try {
    value = evaluate(entrypointOf(test));
  } catch (error) {
    const { message } = error as Error;
    const missing = MISSING.exec(message);
    if (missing) return { notComparable: `it calls ${missing[1]}, which is not here` };
    return { differs: `it ${verb(test.outcome)} in OPA, and ends with an error in Wasm: ${message}` };
  }
  if (test.cases.length > 0) return compareCases(test, value);
  const outcome = value === true ? 'pass' : 'fail';
  if (outcome === test.outcome) return {};
  const is = value === undefined ? 'undefined' : stringifyExact(value);
  return { differs: `it ${verb(test.outcome)} in OPA, and ${verb(outcome)} in Wasm, where it is ${is}` };
}

function compareCases(test: RegoTestResult, value: unknown): Pick<ComparedTest, 'differs'> {
  const different = test.cases.filter(({ name, outcome }) => {
    const leaf = name.reduce<unknown>(
      (node, key) => (node as { [key: string]: unknown } | undefined)?.[key],
      value,
    );
    return (leaf === true ? 'pass' : 'fail') !== outcome;
  });
  if (different.length === 0) return {};
  const names = different.map(({ name, outcome }) => `${name.join(' / ')} (${verb(outcome)} in OPA)`);
  return { differs: `these cases come out otherwise in Wasm: ${names.join(', ')}` };
}

function verb(outcome: string): string {
  return outcome === 'pass' ? 'passes' : 'fails';
}
