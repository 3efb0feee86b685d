import { parseExact } from '../../src/json/exact.js';
import { BuiltinError, type Builtins } from '../../src/policy/builtins/builtin.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import { compile, DECISION, policyOf } from '../support/rego.js';

const NOW = Date.UTC(2030, 0, 1);

describe('an evaluation', () => {
  test('allows and denies as the rule says', async () => {
    const policy = await policyOf('decision := input.n > 1');
    expect(policy.evaluate(DECISION, { n: 2 }, NOW)).toMatchObject({ allowed: true });
    expect(policy.evaluate(DECISION, { n: 1 }, NOW)).toMatchObject({ allowed: false });
  });

  test('sees the data that the bundle brought', async () => {
    const policy = await policyOf('decision := input.user in data.admins', { admins: ['alice'] });
    expect(policy.evaluate(DECISION, { user: 'alice' }, NOW)).toMatchObject({ allowed: true });
    expect(policy.evaluate(DECISION, { user: 'bob' }, NOW)).toMatchObject({ allowed: false });
  });

  test('trap 87: undefined is no answer', async () => {
    const policy = await policyOf('decision if input.n > 1');
    expect(policy.evaluate(DECISION, { n: 1 }, NOW)).toMatchObject({ code: 'policy_undefined' });
    expect(policy.evaluate(DECISION, {}, NOW)).toMatchObject({ code: 'policy_undefined' });
  });

  test.each(['"true"', '1', 'null', '[true]', '{"allowed": "true"}'])(
    'trap 88: a result of %s is not an allow',
    async (result) => {
      const policy = await policyOf(`decision := ${result}`);
      expect(policy.evaluate(DECISION, {}, NOW)).toMatchObject({ code: 'policy_result_invalid' });
    },
  );

  test.each([undefined, null, false, 0, ''])('an input of %p is an input, not none', async (input) => {
    const policy = await policyOf('decision := is_null(input)\ndecision := false if not is_null(input)');
    const outcome = policy.evaluate(DECISION, input ?? null, NOW);
    expect(outcome).toMatchObject({ allowed: input === null || input === undefined });
  });

  test('trap 90: text that is not Unicode is an error, never an evaluation without input', async () => {
    const policy = await policyOf('decision if not input.blocked');
    expect(policy.evaluate(DECISION, { blocked: true, name: '\ud800' }, NOW)).toMatchObject({
      code: 'policy_error',
    });
    expect(policy.evaluate(DECISION, { name: 'a\\ud800\\' }, NOW)).toMatchObject({ allowed: true });
    expect(policy.evaluate(DECISION, { name: '😀\u0000\u2028' }, NOW)).toMatchObject({ allowed: true });
  });

  test('trap 91: a built-in that throws what it must not denies, and the next evaluation is clean', async () => {
    const bundle = await compile('decision if crypto.sha256(input.text) != ""');
    const builtins: Builtins = {
      'crypto.sha256': (_, text) => {
        if (text === 'bad') throw new TypeError(`defect at ${text}`);
        if (text === 'failing') throw new BuiltinError('no');
        return text === 'lacking' ? undefined : 'abc';
      },
    };
    const policy = await loadPolicy({ bundle, entrypoints: [DECISION], builtins });
    if (!('evaluate' in policy)) throw new Error(policy.detail);
    expect(policy.evaluate(DECISION, { text: 'bad' }, NOW)).toMatchObject({
      code: 'policy_error',
      detail: 'the built-in crypto.sha256 failed: TypeError',
    });
    expect(policy.evaluate(DECISION, { text: 'good' }, NOW)).toMatchObject({ allowed: true });
    expect(policy.evaluate(DECISION, { text: 'failing' }, NOW)).toMatchObject({ code: 'policy_undefined' });
    expect(policy.evaluate(DECISION, { text: 'lacking' }, NOW)).toMatchObject({ code: 'policy_undefined' });
  });

  test('trap 92: memory stays flat over 100,000 evaluations', async () => {
    const memories: { buffer: ArrayBuffer }[] = [];
    const Memory = (WebAssembly as unknown as { Memory: new (of: object) => { buffer: ArrayBuffer } }).Memory;
    const record = class extends Memory {
      constructor(descriptor: object) {
        super(descriptor);
        memories.push(this);
      }
    };
    Object.assign(WebAssembly, { Memory: record });
    try {
      const policy = await policyOf(
        'decision := {"allowed": true, "reason": concat(",", xs)} if { xs := [x | some x in input.list] }',
      );
      const input = { list: Array.from({ length: 50 }, (_, index) => `item ${index}`) };
      policy.evaluate(DECISION, input, NOW);
      expect(memories).toHaveLength(1);
      const before = memories[0]!.buffer.byteLength;
      for (let count = 0; count < 100_000; count++) policy.evaluate(DECISION, input, NOW);
      expect(memories).toHaveLength(1);
      expect(memories[0]!.buffer.byteLength).toBe(before);
    } finally {
      Object.assign(WebAssembly, { Memory });
    }
  }, 120_000);

  test('trap 93: an input over the memory maximum denies, and the policy recovers', async () => {
    const bundle = await compile('decision := count(input.list) >= 0');
    const policy = await loadPolicy({ bundle, entrypoints: [DECISION], growthPages: 16 });
    if (!('evaluate' in policy)) throw new Error(policy.detail);
    const huge = { list: Array.from({ length: 300_000 }, (_, index) => index) };
    expect(policy.evaluate(DECISION, huge, NOW)).toMatchObject({ code: 'policy_error' });
    expect(policy.evaluate(DECISION, { list: [] }, NOW)).toMatchObject({ allowed: true });
  });

  test('trap 93: an instance that failed is replaced with its data, again and again', async () => {
    const names = Array.from({ length: 20_000 }, (_, index) => [`name-${index}`, { level: index }]);
    const bundle = {
      ...(await compile('decision := data.levels[input.name].level == input.level')),
      data: { levels: Object.fromEntries(names) },
    };
    const policy = await loadPolicy({ bundle, entrypoints: [DECISION], growthPages: 16 });
    if (!('evaluate' in policy)) throw new Error(policy.detail);
    const huge = { name: 'name-1', list: Array.from({ length: 300_000 }, (_, index) => index) };
    for (let round = 0; round < 5; round++) {
      expect(policy.evaluate(DECISION, huge, NOW)).toMatchObject({ code: 'policy_error' });
      const known = { name: 'name-19999', level: 19999 };
      expect(policy.evaluate(DECISION, known, NOW)).toMatchObject({ allowed: true });
      expect(policy.evaluate(DECISION, { ...known, level: 1 }, NOW)).toMatchObject({ allowed: false });
    }
  });

  test('trap 94: an input nested too deeply is caught, and the next call works', async () => {
    const policy = await policyOf('decision := input.ok');
    let deep: unknown = 1;
    for (let level = 0; level < 200_000; level++) deep = [deep];
    expect(policy.evaluate(DECISION, { ok: true, deep }, NOW)).toMatchObject({ code: 'policy_error' });
    let nested: unknown = 1;
    for (let level = 0; level < 3_000; level++) nested = [nested];
    policy.evaluate(DECISION, { ok: true, nested }, NOW);
    expect(policy.evaluate(DECISION, { ok: true }, NOW)).toMatchObject({ allowed: true });
  });

  test('trap 95: a pattern that is catastrophic for backtracking comes to an end', async () => {
    const policy = await policyOf('decision := regex.match(`^(a+)+$`, input.text)');
    expect(policy.evaluate(DECISION, { text: `${'a'.repeat(50_000)}!` }, NOW)).toMatchObject({
      allowed: false,
    });
  });

  test('trap 96: integers above 2^53 are never silently equal', async () => {
    const policy = await policyOf('decision := input.a == input.b');
    const input = (a: string, b: string) => parseExact(`{"a":${a},"b":${b}}`);
    expect(policy.evaluate(DECISION, input('9007199254740993', '9007199254740992'), NOW)).toMatchObject({
      allowed: false,
    });
    expect(policy.evaluate(DECISION, input('9007199254740993', '9007199254740993'), NOW)).toMatchObject({
      allowed: true,
    });
    const literal = await policyOf('decision := input.a == 9007199254740993');
    expect(literal.evaluate(DECISION, { a: 9007199254740992n }, NOW)).toMatchObject({ allowed: false });
    expect(literal.evaluate(DECISION, { a: 9007199254740993n }, NOW)).toMatchObject({ allowed: true });
  });

  test('trap 97: time.now_ns is one instant, exact to the millisecond it was given', async () => {
    const policy = await policyOf(
      `decision if { a := time.now_ns(); b := time.now_ns(); a == b; a == ${NOW + 123}000000 }`,
    );
    expect(policy.evaluate(DECISION, {}, NOW + 123)).toMatchObject({ allowed: true });
    expect(policy.evaluate(DECISION, {}, NOW + 124)).toMatchObject({ code: 'policy_undefined' });
  });
});

describe('loading', () => {
  test('trap 89: built-ins that are not here refuse the policy by name, all of them', async () => {
    const bundle = await compile('decision if { http.send({"url": "https://example.org"}); opa.runtime() }');
    const outcome = await loadPolicy({ bundle, entrypoints: [DECISION] });
    expect(outcome).toMatchObject({ code: 'policy_unavailable' });
    const detail = 'detail' in outcome ? outcome.detail : '';
    expect(detail).toContain('http.send (a decision never waits for the network');
    expect(detail).toContain('opa.runtime (a decision must not depend on');
  });

  test('an entrypoint that was not compiled in is refused, with those that were', async () => {
    const bundle = await compile('decision := true');
    const outcome = await loadPolicy({ bundle, entrypoints: ['test/other'] });
    expect(outcome).toMatchObject({ detail: 'no entrypoint test/other; the bundle has test/decision' });
  });

  test('what is no Wasm module is refused', async () => {
    const bundle = { revision: 'r', wasm: Buffer.from('nonsense'), data: {} };
    expect(await loadPolicy({ bundle, entrypoints: [] })).toMatchObject({ code: 'policy_unavailable' });
  });
});
