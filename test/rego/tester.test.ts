import { isRefusal } from '../../src/errors/refusal.js';
import { testRego, type RegoTestOptions, type RegoTestReport } from '../../src/rego/tester.js';

const POLICY = {
  path: 'app/authz.rego',
  content: `package app.authz

default allow := false

allow if {
	some role in input.roles
	role in data.app.admins
}

allow if input.user == "root"
`,
};
const DATA = { path: 'app/data.json', content: '{"admins": ["admin"]}' };

async function report(tests: string, options?: RegoTestOptions): Promise<RegoTestReport> {
  const content = `package app.authz_test\n\nimport data.app.authz\n\n${tests}\n`;
  const outcome = await testRego([POLICY, DATA, { path: 'app/authz_test.rego', content }], options);
  if (isRefusal(outcome)) throw new Error(outcome.detail);
  return outcome;
}

describe('a test', () => {
  test('passes, fails, is skipped or ends with an error, in the order of the lines', async () => {
    const { tests } = await report(`
test_admin if authz.allow with input as {"roles": ["admin"]}
test_root if authz.allow with input as {"user": "rot"}
todo_test_later if authz.allow
test_conflict if f(1) == 1
f(x) := 1 if x > 0
f(x) := 2 if x > 0`);
    expect(tests.map(({ name, outcome, location }) => [name, outcome, location.row])).toEqual([
      ['test_admin', 'pass', 6],
      ['test_root', 'fail', 7],
      ['todo_test_later', 'skip', 8],
      ['test_conflict', 'error', 9],
    ]);
    expect(tests[3]!.error).toMatchObject({ code: 'eval_conflict_error', location: { row: 11 } });
    expect(tests.every((found) => found.package === 'app.authz_test')).toBe(true);
  });

  test('that fails tells its expression, the values in it, and the rules that did not hold', async () => {
    const { tests } = await report(`test_it if {
	roles := ["reader"]
	authz.allow with input as {"roles": roles}
}`);
    const failure = tests[0]!.failure!;
    expect(failure.location).toEqual({ file: 'app/authz_test.rego', row: 7, col: 2 });
    expect(failure.values).toContainEqual({ name: 'authz.allow', value: 'false' });
    expect(failure.because[0]).toMatchObject({
      rule: 'app.authz.allow',
      location: { file: 'app/authz.rego', row: 7, col: 2 },
      text: 'role in data.app.admins',
    });
    expect(failure.because[0]!.values).toContainEqual({ name: 'role', value: '"reader"' });
    expect(failure.because[1]!.text).toBe('input.user == "root"');
  });

  test('that fails within every tells the element', async () => {
    const { tests } = await report('test_it if every n in [1, 2, 3] {\n\tm := n + 1\n\tm < 4\n}');
    expect(tests[0]!.failure).toMatchObject({ text: 'm < 4', values: [{ name: 'm', value: '4' }] });
  });

  test('that fails because something holds does not list what else did not', async () => {
    const { tests } = await report('test_it if not authz.allow with input as {"user": "root"}');
    expect(tests[0]!.failure).toMatchObject({
      values: [{ name: 'authz.allow', value: 'true' }],
      because: [],
    });
  });

  test('with cases tells which of them fail', async () => {
    const { tests } = await report(`test_sum[note] if {
	some note, c in {"one": {"a": 1, "b": 1}, "two": {"a": 1, "b": 2}}
	c.a == c.b
}`);
    expect(tests[0]!.cases.map(({ name, outcome }) => [name, outcome])).toEqual([
      [['one'], 'pass'],
      [['two'], 'fail'],
    ]);
    expect(tests[0]!.cases[1]!.failure!.values).toContainEqual({ name: 'c.b', value: '2' });
  });

  test('defined as false has no expression to tell', async () => {
    const { tests } = await report('test_it := false');
    expect(tests[0]).toMatchObject({ outcome: 'fail', cases: [] });
    expect(tests[0]!.failure).toBeUndefined();
  });

  test('that prints is heard', async () => {
    const { tests } = await report('test_it if {\n\tprint("seen", 1 + 1)\n}');
    expect(tests[0]).toMatchObject({ outcome: 'pass', output: 'seen 2\n' });
  });

  test('that takes too long is ended, and the others run all the same', async () => {
    const { tests } = await report(
      `test_endless if count([1 | some i in numbers.range(1, 100000); some j in numbers.range(1, 1000); i == -j]) == 1
test_next if 1 == 1`,
      { timeoutMs: 300 },
    );
    expect(tests.map(({ outcome }) => outcome)).toEqual(['error', 'pass']);
    expect(tests[0]!.error!.code).toBe('eval_cancel_error');
  });
});

describe('a run', () => {
  const TWO = 'test_one if true\ntest_two if true';

  test('takes only the tests that a pattern matches', async () => {
    const { tests } = await report(TWO, { run: 'authz_test\\.test_t' });
    expect(tests.map(({ name }) => name)).toEqual(['test_two']);
  });

  test('with a pattern that is none says so', async () => {
    const outcome = await testRego([POLICY], { run: '(' });
    expect(outcome).toMatchObject({ refused: true, errors: [{ code: 'pattern_invalid' }] });
  });

  test('counts the lines of policies, not of tests', async () => {
    const { coverage } = await report('test_it if authz.allow with input as {"roles": ["admin"]}', {
      coverage: true,
    });
    expect(coverage).toEqual([{ file: 'app/authz.rego', covered: 3, uncovered: [3, 10] }]);
  });

  test('counts nothing unless asked', async () => {
    expect((await report(TWO)).coverage).toBeUndefined();
  });

  test('of sources that do not compile tells every place', async () => {
    const outcome = await testRego([POLICY, { path: 'x_test.rego', content: 'package x\n\ntest_a if b\n' }]);
    expect(outcome).toMatchObject({
      refused: true,
      errors: [{ code: 'rego_unsafe_var_error', location: { file: 'x_test.rego', row: 3, col: 11 } }],
    });
  });
});
