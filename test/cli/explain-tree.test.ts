import { PLAIN } from '../../src/cli/explain/paint.js';
import { reportText } from '../../src/cli/explain/report.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { explainRego } from '../../src/rego/explainer.js';

/** Explains one rule of a package `t` for an input, in words. */
async function explain(rules: string, rule: string, input: object, all = false): Promise<string> {
  const entrypoint = `t/${rule}`;
  const explanation = await explainRego([{ path: 't.rego', content: `package t\n\n${rules}\n` }], {
    entrypoint,
    input: JSON.stringify(input),
    now: 0,
    ...(all && { mostFailures: 1000 }),
  });
  if (isRefusal(explanation)) throw new Error(explanation.detail);
  return reportText({ entrypoint, explanation, notes: [] }, PLAIN, all);
}

describe('an explanation', () => {
  test('says of a reference that is not there which part is missing, and what there is', async () => {
    const text = await explain('ok if input.token.claims.tenant.id == "x"', 'ok', {
      token: { claims: { iss: 'i', sub: 's' } },
    });
    expect(text).toContain(
      'input.token.claims.tenant.id is undefined (there is no input.token.claims.tenant): ' +
        'input.token.claims has iss, sub\n',
    );
    expect(text).toContain('t/ok is undefined: no definition of it held, and it has no default.');
  });

  test("names the part of a head's value for whose lack a definition does not hold", async () => {
    const text = await explain('ok := {"n": input.name, "t": input.tenant} if input.name', 'ok', {
      name: 'a',
    });
    expect(text).toContain('input.tenant is undefined: input has name');
    expect(text).not.toContain('input.name =');
  });

  test('follows functions, call by call, and says where arguments do not match', async () => {
    const text = await explain('ok if f(input.k, 0)\n\nf("x", _) := true\n\nf(z, _) if z == "q"', 'ok', {
      k: 'other',
    });
    expect(text).toContain('f("other", 0) is undefined');
    expect(text).toMatch(/✗ f\("x", _\) := true {2}t\.rego:5\n\s+its arguments are not those of the call/);
    expect(text).toContain('z = "other"');
  });

  test('tells the element that an every stopped at', async () => {
    const text = await explain('ok if every item in input.items {\n\titem.size < 3\n}', 'ok', {
      items: [{ size: 1 }, { size: 7 }],
    });
    expect(text).toMatch(/for this element:\n\s+✗ item\.size < 3 {2}:4\n\s+item\.size = 7\n/);
  });

  test('tells what a comprehension left out', async () => {
    const text = await explain('ok if count([x | some x in input.list; x > 10]) > 0', 'ok', { list: [4, 5] });
    expect(text).toMatch(
      /within:\n\s+✓ some x in input\.list .*\n\s+✗ x > 10 {2}:3 {2}\(none of 2\)\n\s+x = 4\n/,
    );
  });

  test('tells why what is negated held', async () => {
    const text = await explain('ok if not blocked\n\nblocked if input.user == "eve"', 'ok', { user: 'eve' });
    expect(text).toContain('✗ not blocked  :3  blocked = true');
    expect(text).toContain('✓ blocked  t.rego:5');
  });

  test('evaluates with what `with` puts in place', async () => {
    const text = await explain('ok if inner with input.a as 5\n\ninner if input.a == 6', 'ok', { a: 6 });
    expect(text).toMatch(/✗ input\.a == 6 {2}:5\n\s+input\.a = 5\n/);
  });

  test('tells of rules that disagree by their places', async () => {
    const text = await explain('ok := 1 if input.a\n\nok := 2 if input.b', 'ok', { a: true, b: true });
    expect(text).toContain('The evaluation ended in an error:\nt.rego:5:1: eval_conflict_error');
    expect(text).toContain('1 at t.rego:3');
  });

  test('tells of a built-in that gave up', async () => {
    const text = await explain('ok if to_number(input.s) == 3', 'ok', { s: 'abc' });
    expect(text).toContain('t.rego:3:7: eval_builtin_error: to_number');
    expect(text).toMatch(/the built-in gave up: to_number: .*"abc"/);
  });

  test('shows the first failures of many, and all of them with --all', async () => {
    const rule = 'ok if {\n\tsome n in input.list\n\tn > 100\n}';
    const input = { list: Array.from({ length: 30 }, (_, n) => n) };
    const some = await explain(rule, 'ok', input);
    expect(some.match(/n = \d+/g)).toHaveLength(3);
    expect(some).toContain('… and 27 more');
    const all = await explain(rule, 'ok', input, true);
    expect(all.match(/n = \d+/g)).toHaveLength(30);
  });
});
