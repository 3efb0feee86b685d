import { stringifyExact } from '../../src/json/exact.js';
import { BuiltinError, type Builtins } from '../../src/policy/builtins/builtin.js';
import { HOST_BUILTINS } from '../../src/policy/builtins/index.js';
import { missingBuiltins } from '../../src/policy/missing-builtins.js';
import { toJson } from '../../src/policy/json-value.js';
import { formatValue, parseValue } from '../../src/policy/text.js';
import { compareValues, equalValues, RegoObject, RegoSet, type RegoValue } from '../../src/policy/value.js';
import { PolicyInstance } from '../../src/policy/wasm/instance.js';
import type { PolicyModule } from '../../src/policy/wasm/module.js';
import type { Case } from './cases.js';

/** What is wrong with the answer to a case. */
export interface Difference {
  readonly want: string;
  readonly got: string;
}

/** What the host supplies, and what cases need besides. */
const BUILTINS: Builtins = {
  ...HOST_BUILTINS,
  // OPA's own runner registers it for its cases about time; nothing here depends on how long it takes.
  'test.sleep': () => null,
};

/** The module's export for a query that was not compiled as an entrypoint of its own. */
const ENTRYPOINT = 'eval';

/**
 * Runs one case as OPA's own runner does for its Wasm engine (internal/wasm/sdk/test/e2e/external_test.go).
 *
 * @returns undefined where the answer is the one that is wanted
 */
export function check(item: Case, module: PolicyModule): Difference | undefined {
  const want = wanted(item);
  let got: RegoValue;
  try {
    got = evaluate(item, module);
  } catch (error) {
    const message = error instanceof Error || hasMessage(error) ? error.message : 'unknown failure';
    return want.error?.some((text) => message.includes(text)) === true
      ? undefined
      : { want: want.text, got: `error: ${message}${causeOf(error)}` };
  }
  return want.holds(got) ? undefined : { want: want.text, got: formatValue(got) };
}

interface Wanted {
  readonly text: string;
  /** One of these is in the error that the evaluation ends with. */
  readonly error?: readonly string[];
  holds(got: RegoValue): boolean;
}

function wanted(item: Case): Wanted {
  const { wantDefined, wantResult, wantErrorCode, wantError, strictError, sortBindings } = item;
  if (wantDefined !== undefined)
    return {
      text: wantDefined ? 'defined' : 'undefined',
      holds: (got) => [...(got as RegoSet)].length > 0 === wantDefined,
    };
  if (wantResult !== undefined) return results(wantResult, sortBindings === true);
  // Wasm has no strict errors: what is one elsewhere is an undefined result.
  if (strictError === true) return results('[]', false);
  if (wantErrorCode === 'eval_conflict_error')
    return {
      text: `error: ${wantErrorCode}`,
      error: ['var assignment conflict', 'object insert conflict'],
      holds: () => false,
    };
  return { text: `error: ${wantErrorCode ?? wantError}`, holds: () => false };
}

/** Results in any order. */
function results(text: string, sortBindings: boolean): Wanted {
  const want = new RegoSet(parseValue(text) as readonly RegoValue[]);
  return {
    text,
    holds: (got) =>
      equalValues(want, new RegoSet(Array.from(got as RegoSet, (one) => asJson(one, sortBindings)))),
  };
}

/** Bindings as JSON has them: sets become arrays, and keys strings. */
function asJson(bindings: RegoValue, sorted: boolean): RegoValue {
  const plain = parseValue(stringifyExact(toJson(bindings))) as RegoObject;
  if (!sorted) return plain;
  return new RegoObject(
    Array.from(plain, ([name, value]) => [
      name,
      Array.isArray(value) ? [...(value as RegoValue[])].sort(compareValues) : value,
    ]),
  );
}

function evaluate(item: Case, module: PolicyModule): RegoValue {
  const instance = new PolicyInstance(module, { initial: 64, maximum: 4096 }, BUILTINS);
  const missing = missingBuiltins(instance.builtins.keys(), new Map(), BUILTINS);
  if (missing.length > 0) throw new BuiltinError(`built-ins that are not here: ${missing.join(', ')}`);
  if (item.data !== undefined) instance.parse(item.data);
  const entrypoint = instance.entrypoints.has(ENTRYPOINT) ? ENTRYPOINT : [...instance.entrypoints.keys()][0]!;
  const now = BigInt(Date.now()) * 1_000_000n;
  return parseValue(instance.evaluate(entrypoint, item.input, { now }));
}

function hasMessage(error: unknown): error is { message: string } {
  return typeof error === 'object' && error !== null && 'message' in error;
}

/** Where a defect is, for whoever mends it. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error ? ` (${cause.stack})` : '';
}
