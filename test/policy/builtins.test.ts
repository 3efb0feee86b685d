import { readFile } from 'node:fs/promises';
import { isRefusal } from '../../src/errors/refusal.js';
import { HOST_BUILTINS, REFUSED_BUILTINS } from '../../src/policy/builtins/index.js';
import { neededBuiltins } from '../../src/policy/builtins/needed.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import type { Policy } from '../../src/policy/types.js';
import { missingBuiltins } from '../../src/policy/missing-builtins.js';
import { compile, DECISION } from '../support/rego.js';

const NOW = Date.UTC(2030, 0, 1) + 123;

type Table = readonly (readonly [expression: string, expected: string])[];

const SUPPLIED: Table = [
  ['time.now_ns()', '1893456000123000000'],
  ['time.now_ns() - 1893456000000000000', '123000000'],
  ['floor(time.now_ns() / 1000000000)', '1893456000'],
];

/** What OPA's Wasm would compute itself, and not as OPA does. */
const HOSTED: Table = [
  ['replace(input.text, input.empty, "-")', '"-t-e-x-t-"'],
  ['replace(input.text, "t", "<")', '"\\u003cex\\u003c"'],
  ['format_int(input.big, 16)', '"10000000000000000"'],
  ['json.is_valid("2024-02-29")', 'false'],
  ['json.marshal({"b": 1, "a": 2})', '"{\\"a\\":2,\\"b\\":1}"'],
];

const FAILING: Table = [
  // What leaves the expression undefined, as OPA does:
  ['to_number("x")', 'policy_undefined'],
  ['json.unmarshal("{")', 'policy_undefined'],
  ['base64.decode("%%")', 'policy_undefined'],
  ['1 / 0', 'policy_undefined'],
  ['indexof(input.text, input.empty)', 'policy_undefined'],
  ['net.cidr_contains("10.0.0.0/8abc", "10.0.0.1")', 'policy_undefined'],
  ['to_number("1e400")', 'policy_undefined'],
  // Under `not`, too:
  ['1 | not to_number(input.text) == 1', 'policy_undefined'],
];

const INTEGERS: Table = [
  ['input.a', '9007199254740993'],
  ['input.a == input.b', 'false'],
  ['input.a > input.b', 'true'],
  ['input.a - input.b', '1'],
  ['input.a * 3', '27021597764222979'],
  ['count({input.a, input.b})', '2'],
  ['max([input.a, input.b])', '9007199254740993'],
  ['input.a in [input.b]', 'false'],
  ['to_number("9007199254740993") == input.a', 'true'],
  ['json.unmarshal("9007199254740993") == input.a', 'true'],
  ['input.big == 18446744073709551617', 'false'],
];

const INPUT = {
  text: 'text',
  empty: '',
  a: 9007199254740993n,
  b: 9007199254740992,
  big: 18446744073709551616n,
};

const EXPRESSIONS = [SUPPLIED, HOSTED, FAILING, INTEGERS].flat().map(([expression]) => expression);

let policy: Policy;

/** One policy with a rule for each expression, since compiling takes its time. */
beforeAll(async () => {
  const entrypoints = EXPRESSIONS.map((_, index) => `test/rule_${index}`);
  const rules = EXPRESSIONS.map((expression, index) => {
    const [result, condition = 'true'] = expression.includes(' | ') ? expression.split(' | ') : [expression];
    return `rule_${index} := {"allowed": true, "reason": json.marshal(${result})} if ${condition}`;
  });
  const bundle = await compile(rules.join('\n\n'), {}, entrypoints);
  const loaded = await loadPolicy({ bundle, entrypoints });
  if (isRefusal(loaded)) throw new Error(loaded.detail);
  policy = loaded;
});

/** What an expression comes to, as JSON text; or the code of the refusal. */
function value(expression: string): string {
  const answer = policy.evaluate(`test/rule_${EXPRESSIONS.indexOf(expression)}`, INPUT, NOW);
  return isRefusal(answer) ? answer.code : answer.reason!;
}

describe('the built-ins of the host', () => {
  test('are supplied, or refused with a reason, and never both', () => {
    const supplied = Object.keys(HOST_BUILTINS);
    for (const name of Object.keys(REFUSED_BUILTINS)) {
      expect(supplied).not.toContain(name);
      expect(missingBuiltins([name])).toEqual([`${name} (${REFUSED_BUILTINS[name]})`]);
    }
    expect(missingBuiltins(supplied)).toEqual([]);
  });

  test('are found one by one, each the same as among all', async () => {
    for (const [name, builtin] of Object.entries(HOST_BUILTINS)) {
      const found = await neededBuiltins([name]);
      expect(Object.keys(found)).toEqual([name]);
      expect(found[name]).toBe(builtin);
    }
    expect(await neededBuiltins(['no.such', 'io.no_such', 'constructor', 'http.send'])).toEqual({});
  });

  test('that are missing are named with every place that calls them', () => {
    const places = new Map([['no.such', ['a.rego:3:5', 'b.rego:9:1']]]);
    expect(missingBuiltins(['time.now_ns', 'no.such', 'constructor'], places)).toEqual([
      'no.such, called at a.rego:3:5, b.rego:9:1',
      'constructor',
    ]);
  });

  test.each(SUPPLIED)('%p is %p', (expression, expected) => {
    expect(value(expression)).toBe(expected);
  });

  test.each(HOSTED)('%p is %p, in a policy that our compiler has made', (expression, expected) => {
    expect(value(expression)).toBe(expected);
  });

  test('are all that our compiler leaves to the host', async () => {
    const file = new URL('../../src/rego/opa/hosted/functions.json', import.meta.url);
    const hosted = JSON.parse(await readFile(file, 'utf8')) as string[];
    expect(missingBuiltins(hosted)).toEqual([]);
  });

  test.each(FAILING)('%p is %s, which denies, and the next evaluation is clean', (expression, code) => {
    expect(value(expression)).toBe(code);
    expect(value('max([input.a, input.b])')).toBe('9007199254740993');
  });
});

describe('integers above 2^53', () => {
  test.each(INTEGERS)('trap 96: %p is %s', (expression, expected) => {
    expect(value(expression)).toBe(expected);
  });
});

describe('a policy that calls what is not here', () => {
  test('trap 89: does not load, whether or not the call is ever reached', async () => {
    const bundle = await compile('decision if { input.never; opa.runtime().env; http.send({}).body == 1 }');
    const outcome = await loadPolicy({
      bundle,
      entrypoints: [DECISION],
      builtinPlaces: new Map([['http.send', ['test.rego:3:47']]]),
    });
    if (!isRefusal(outcome)) throw new Error('it loaded');
    expect(outcome.detail.split('\n').sort()).toEqual([
      `  http.send (${REFUSED_BUILTINS['http.send']}), called at test.rego:3:47`,
      `  opa.runtime (${REFUSED_BUILTINS['opa.runtime']})`,
      'the policy needs built-ins that are not here:',
    ]);
  });
});
