import { refuse } from '../../src/errors/refusal.js';
import { createPolicySource, type Contents, type PolicyEvent } from '../../src/policy/source.js';
import { content, policyNamed } from './bundles.js';

const bad = refuse('rego_invalid', 'mesh/authz.rego:3:1: rego_parse_error');

/** Loads whatever does not say `bad`, and remembers what it was asked to load. */
function setUp(names = ['a']) {
  const events: PolicyEvent[] = [];
  const loads: string[] = [];
  let clock = 0;
  const judge = { load: (digests: string) => (digests.includes('bad') ? bad : policyNamed(digests)) };
  const source = createPolicySource({
    names,
    load: async (contents: Contents) => {
      const digests = [...contents.values()].map(({ digest }) => digest).join('+');
      loads.push(digests);
      await new Promise((resolve) => setImmediate(resolve));
      return judge.load(digests);
    },
    now: () => ++clock,
    onEvent: (event) => events.push(event),
  });
  return { source, events, loads, judge };
}

describe('a policy that changes', () => {
  test('is what was loaded last, and there is none before', async () => {
    const { source, events } = setUp();
    expect(source.current()).toBeUndefined();
    expect(await source.offer('a', content('1'))).toBeUndefined();
    const first = source.current();
    expect(first?.revision).toBe('1');
    await source.offer('a', content('2'));
    expect(source.current()?.revision).toBe('2');
    expect(first?.revision).toBe('1');
    expect(events.map(({ kind }) => kind)).toEqual(['loaded', 'loaded']);
  });

  test('trap 98: stays as it was when a change is refused, and says why until the next good one', async () => {
    const { source, events } = setUp();
    await source.offer('a', content('1'));
    const before = source.current();
    expect(await source.offer('a', content('bad'))).toBe(bad);
    source.fail('a', refuse('bundle_unsigned', 'no signature'));
    expect(source.current()).toBe(before);
    expect(source.status()).toMatchObject([{ revision: 'r-1', error: { code: 'bundle_unsigned' } }]);
    await source.offer('a', content('2'));
    expect(source.status()[0]).not.toHaveProperty('error');
    expect(events.map(({ kind }) => kind)).toEqual(['loaded', 'refused', 'refused', 'loaded']);
  });

  test('back to what is in force is no change, and ends the error', async () => {
    const { source, loads } = setUp();
    await source.offer('a', content('1'));
    await source.offer('a', content('bad'));
    expect(await source.offer('a', content('1'))).toBeUndefined();
    expect(loads).toEqual(['1', 'bad']);
    expect(source.status()[0]).not.toHaveProperty('error');
  });

  test('takes changes one after the other, however fast they come', async () => {
    const { source } = setUp();
    await Promise.all(['1', '2', 'bad', '3'].map((digest) => source.offer('a', content(digest))));
    expect(source.current()?.revision).toBe('3');
  });

  test('is not stopped by a load that throws', async () => {
    const { source, judge } = setUp();
    const load = judge.load;
    judge.load = () => {
      throw new Error('a defect');
    };
    await expect(source.offer('a', content('1'))).rejects.toThrow('a defect');
    judge.load = load;
    await source.offer('a', content('2'));
    expect(source.current()?.revision).toBe('2');
  });
});

describe('a policy of several parts', () => {
  test('waits until each is there', async () => {
    const { source, loads } = setUp(['a', 'b']);
    expect(await source.offer('a', content('a1'))).toBeUndefined();
    expect(source.current()).toBeUndefined();
    await source.offer('b', content('b1'));
    expect(loads).toEqual(['a1+b1']);
    await source.offer('a', content('a2'));
    expect(source.current()?.revision).toBe('a2+b1');
  });

  test('takes two changes that only fit each other with the second', async () => {
    const { source, judge } = setUp(['a', 'b']);
    judge.load = (digests) => (['a1+b1', 'a2+b2'].includes(digests) ? policyNamed(digests) : bad);
    await source.offer('a', content('a1'));
    await source.offer('b', content('b1'));
    expect(await source.offer('a', content('a2'))).toBe(bad);
    expect(source.current()?.revision).toBe('a1+b1');
    expect(await source.offer('b', content('b2'))).toBeUndefined();
    expect(source.current()?.revision).toBe('a2+b2');
    expect(source.status().filter(({ error }) => error)).toEqual([]);
  });

  test('does not come back to a change that was taken back', async () => {
    const { source, judge } = setUp(['a', 'b']);
    judge.load = (digests) => (digests === 'a2+b1' ? bad : policyNamed(digests));
    await source.offer('a', content('a1'));
    await source.offer('b', content('b1'));
    await source.offer('a', content('a2'));
    source.confirm('a');
    await source.offer('b', content('b2'));
    expect(source.current()?.revision).toBe('a1+b2');
  });
});
