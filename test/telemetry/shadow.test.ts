import { jest } from '@jest/globals';
import { stringifyExact } from '../../src/json/exact.js';
import type { PolicyResult } from '../../src/policy/types.js';
import { createDecisionLog } from '../../src/telemetry/decision-log.js';
import type { Observation } from '../../src/telemetry/observation.js';
import { createShadow, type ShadowAnswer, type ShadowDifference } from '../../src/telemetry/shadow.js';
import { permit } from '../decision/fakes.js';
import { observe } from './observations.js';

const deny = (reason: string): PolicyResult => ({ ...permit, allowed: false, reason });
const answered = (result: PolicyResult): Partial<ShadowAnswer> => ({ result: stringifyExact(result) });

/** A decision with this result of the live policy; undefined where it came to none. */
async function decided(result: PolicyResult | undefined): Promise<Observation> {
  const observation = await observe();
  const { result: _, ...policy } = observation.decision.policy!;
  return {
    ...observation,
    decision: { ...observation.decision, policy: { ...policy, ...(result && { result }) } },
  };
}

function setUp(answer: Partial<ShadowAnswer> | undefined, share = 1, random = 0.5) {
  const outcomes: string[] = [];
  const differences: ShadowDifference[] = [];
  const asked: string[] = [];
  const shadow = createShadow({
    share,
    evaluate: async (entrypoint) => {
      asked.push(entrypoint);
      return answer && { revision: 's1', bundles: { next: { revision: 's1' } }, milliseconds: 0, ...answer };
    },
    random: () => random,
    onOutcome: (outcome) => outcomes.push(outcome),
    onDifference: (difference) => differences.push(difference),
  });
  return { shadow, outcomes, differences, asked };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('a shadow policy', () => {
  test.each<[string, PolicyResult | undefined, Partial<ShadowAnswer> | undefined]>([
    ['same', permit, answered(permit)],
    ['different', permit, answered({ ...permit, headers: [['x-a', '1']] })],
    ['allow_to_deny', permit, answered(deny('no'))],
    ['deny_to_allow', deny('no'), answered(permit)],
    ['different', deny('no'), answered(deny('never'))],
    ['allow_to_deny', permit, { code: 'policy_undefined' }],
    ['same', undefined, { code: 'policy_undefined' }],
    ['deny_to_allow', undefined, answered(permit)],
    ['error', permit, { code: 'policy_error' }],
    ['error', deny('no'), { code: 'policy_result_invalid' }],
    ['dropped', permit, undefined],
  ])('comes to %s', async (outcome, live, answer) => {
    const { shadow, outcomes, differences } = setUp(answer);
    shadow.offer(await decided(live));
    await settled();
    expect(outcomes).toEqual([outcome]);
    expect(differences.map(({ difference }) => difference)).toEqual(
      outcome === 'same' || outcome === 'dropped' ? [] : [outcome],
    );
  });

  test('is asked about its share', async () => {
    const observation = await decided(permit);
    const asked = setUp(answered(permit), 0.5, 0.49);
    const spared = setUp(answered(permit), 0.5, 0.5);
    const none = setUp(answered(permit), 0, 0);
    for (const { shadow } of [asked, spared, none]) shadow.offer(observation);
    await settled();
    expect([asked, spared, none].map(({ outcomes }) => outcomes.length)).toEqual([1, 0, 0]);
  });

  test('is not asked before the answer is on its way, and what waits too long is dropped', async () => {
    const observation = await decided(permit);
    const { shadow, outcomes, asked } = setUp(answered(permit));
    for (let i = 0; i < 100; i++) shadow.offer(observation);
    expect(asked).toEqual([]);
    expect(outcomes).toEqual(Array(36).fill('dropped'));
    await settled();
    expect(outcomes.filter((outcome) => outcome === 'same')).toHaveLength(64);
  });

  test('rests as long as it works', async () => {
    jest.useFakeTimers();
    const observation = await decided(permit);
    const { shadow, asked } = setUp({ ...answered(permit), milliseconds: 100 });
    for (let i = 0; i < 10; i++) shadow.offer(observation);
    await jest.advanceTimersByTimeAsync(350);
    expect(asked).toHaveLength(4);
    jest.useRealTimers();
  });

  test('trap 102: is logged without the credentials that its answer has', async () => {
    const lines: string[] = [];
    const log = createDecisionLog({
      labels: {},
      destination: { write: (line) => lines.push(line) },
      onDrop: () => {},
      erase: ['/result/reason'],
    });
    const { shadow, differences } = setUp(
      answered({ ...deny('secret words'), headers: [['set-cookie', 'session=1']], body: 'private' }),
    );
    shadow.offer(await decided(permit));
    await settled();
    log.recordShadow(differences[0]!);
    const event = JSON.parse(lines[0]!) as { [name: string]: unknown };
    expect(event).toMatchObject({
      type: 'countersign/shadow_decisions',
      msg: 'Shadow Decision Log',
      outcome: 'allow',
      shadow: {
        difference: 'allow_to_deny',
        bundles: { next: { revision: 's1' } },
        path: 'mesh/authz/decision',
        result: { allowed: false },
      },
    });
    for (const secret of ['session=1', 'private', 'secret words', 'opaque'])
      expect(lines[0]).not.toContain(secret);
  });
});
