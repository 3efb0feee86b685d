import { isRefusal } from '../../src/errors/refusal.js';
import { HOST_BUILTINS, LIBRARY_BUILTINS, REFUSED_BUILTINS } from '../../src/policy/builtins.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import type { Policy } from '../../src/policy/types.js';
import { missingBuiltins } from '../../src/policy/wasm.js';
import { compile, DECISION } from '../support/rego.js';

const NOW = Date.UTC(2030, 0, 1) + 123;

type Table = readonly (readonly [expression: string, expected: string])[];

const SUPPLIED: Table = [
  ['sprintf("%s may %v", ["a", "b"])', '"a may b"'],
  ['sprintf("%d of %.1f%%", [3, 1.25])', '"3 of 1.3%"'],
  ['sprintf("%t %x %5d|%-5s|%05.2f", [true, 255, 3, "a", 1.5])', '"true ff     3|a    |01.50"'],
  ['sprintf("%f", [1.5])', '"1.5"'],
  ['sprintf("%v %v", [{"a": 1}, [1, 2]])', '"[object Object] 1,2"'],
  ['sprintf("%d", [2147483648])', '"2147483648"'],
  ['format_int(2147483647, 10)', '"2147483647"'],
  ['format_int(-2147483648, 16)', '"-80000000"'],
  ['json.is_valid("{}")', 'true'],
  ['json.is_valid("{")', 'false'],
  ['yaml.is_valid("a: 1")', 'true'],
  ['yaml.is_valid("a: [")', 'false'],
  ['yaml.unmarshal("a: [1, b]")', '{"a":[1,"b"]}'],
  ['yaml.marshal({"a": "b"})', String.raw`"a: b\n"`],
  ['time.now_ns()', '1893456000123000000'],
  ['time.now_ns() - 1893456000000000000', '123000000'],
  ['floor(time.now_ns() / 1000000000)', '1893456000'],
];

const FAILING: Table = [
  // What ends the evaluation:
  ['sprintf("%d", [input.text])', 'policy_error'],
  ['sprintf("%!", [1])', 'policy_error'],
  ['sprintf("%q", ["a"])', 'policy_error'],
  ['sprintf("%v", [null])', 'policy_error'],
  ['yaml.unmarshal("a: &a [*a]")', 'policy_error'],
  ['yaml.unmarshal(input.bomb)', 'policy_error'],
  ['format_int(2147483648, 10)', 'policy_error'],
  // What leaves the expression undefined, as OPA does:
  ['to_number("x")', 'policy_undefined'],
  ['json.unmarshal("{")', 'policy_undefined'],
  ['yaml.unmarshal("a: [")', 'policy_undefined'],
  ['base64.decode("%%")', 'policy_undefined'],
  ['1 / 0', 'policy_undefined'],
  // Under `not`, too:
  ['1 | not to_number(input.text) == 1', 'policy_undefined'],
  ['1 | not sprintf("%d", [input.text]) == "1"', 'policy_error'],
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

/** Through JavaScript's numbers: docs/policy.md warns of it. */
const ROUNDED: Table = [
  ['sprintf("%d", [input.a])', '"9007199254740992"'],
  ['yaml.unmarshal("9007199254740993")', '9007199254740992'],
];

const INPUT = {
  text: 'text',
  bomb: Array.from('abcdef', (name, index) => {
    const items = index === 0 ? 'x' : `*${'abcdef'[index - 1]}`;
    return `${name}: &${name} [${Array(10).fill(items).join(', ')}]`;
  }).join('\n'),
  a: 9007199254740993n,
  b: 9007199254740992,
  big: 18446744073709551616n,
};

const EXPRESSIONS = [SUPPLIED, FAILING, INTEGERS, ROUNDED].flat().map(([expression]) => expression);

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
    const supplied = [...Object.keys(HOST_BUILTINS), ...LIBRARY_BUILTINS];
    expect(new Set(supplied).size).toBe(supplied.length);
    for (const name of Object.keys(REFUSED_BUILTINS)) {
      expect(supplied).not.toContain(name);
      expect(missingBuiltins([name])).toEqual([`${name} (${REFUSED_BUILTINS[name]})`]);
    }
    expect(missingBuiltins(supplied)).toEqual([]);
  });

  test('that are missing are named with every place that calls them', () => {
    const places = new Map([['io.jwt.decode', ['a.rego:3:5', 'b.rego:9:1']]]);
    expect(missingBuiltins(['time.now_ns', 'io.jwt.decode', 'constructor'], places)).toEqual([
      'io.jwt.decode, called at a.rego:3:5, b.rego:9:1',
      'constructor',
    ]);
  });

  test('trap 97: time.now_ns is the instant it was given, in whole nanoseconds', () => {
    const now = HOST_BUILTINS['time.now_ns']!;
    expect(now({ now: NOW })).toBe('1893456000123000000');
    expect(now({ now: 0 })).toBe('0');
    expect(now({ now: NOW + 0.9 })).toBe('1893456000123000000');
    expect(BigInt(now({ now: NOW }))).toBeGreaterThan(Number.MAX_SAFE_INTEGER);
  });

  test.each(SUPPLIED)('%p is %p', (expression, expected) => {
    expect(value(expression)).toBe(expected);
  });

  test.each(FAILING)('%p is %s, which denies, and the next evaluation is clean', (expression, code) => {
    expect(value(expression)).toBe(code);
    expect(value('json.is_valid("{}")')).toBe('true');
  });
});

describe('integers above 2^53', () => {
  test.each(INTEGERS)('trap 96: %p is %s', (expression, expected) => {
    expect(value(expression)).toBe(expected);
  });

  test.each(ROUNDED)('are rounded by %p, of which docs/policy.md warns', (expression, expected) => {
    expect(value(expression)).toBe(expected);
  });
});

describe('a policy that calls what is not here', () => {
  test('trap 89: does not load, whether or not the call is ever reached', async () => {
    const bundle = await compile(
      'decision if { input.never; io.jwt.verify_es256(input.t, input.k); rand.intn("a", 2) == 1 }',
    );
    const outcome = await loadPolicy({
      bundle,
      entrypoints: [DECISION],
      builtinPlaces: new Map([['rand.intn', ['test.rego:3:68']]]),
    });
    if (!isRefusal(outcome)) throw new Error('it loaded');
    expect(outcome.detail.split('\n').sort()).toEqual([
      '  io.jwt.verify_es256',
      '  rand.intn, called at test.rego:3:68',
      'the policy needs built-ins that are not here:',
    ]);
  });
});
