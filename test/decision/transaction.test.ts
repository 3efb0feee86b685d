import type { PipelineOptions } from '../../src/decision/pipeline.js';
import { refuse } from '../../src/errors/refusal.js';
import type { TransactionVerifier } from '../../src/token/transaction.js';
import { facts, NOW, permit, pipeline, policy } from './fakes.js';

const open = { deadline: Number.POSITIVE_INFINITY };
const transaction = {
  issuer: 'https://txn.example.org',
  id: 'txn-7',
  subject: 'alice',
  scopes: ['trade'],
  requestingWorkload: 'spiffe://example.org/gateway',
  claims: { txn: 'txn-7' },
  issuedAt: NOW / 1000,
  expiresAt: NOW / 1000 + 60,
};

function setUp(mode: 'off' | 'optional' | 'required', overrides: Partial<PipelineOptions> = {}) {
  const seen: (readonly string[])[] = [];
  const verifier: TransactionVerifier = {
    verify: (lines) => {
      seen.push(lines);
      if (lines.length === 0) return undefined;
      return lines[0] === 'good' ? transaction : refuse('transaction_token_invalid', 'x');
    },
  };
  const inputs: object[] = [];
  const asked = policy((_, input) => (inputs.push(input as object), permit));
  const decider = pipeline({ transaction: { verifier, mode }, policy: () => asked, ...overrides });
  const decide = async (header: string[], route = {}, more = {}) =>
    decider.decide(facts({ header: (name) => (name === 'txn-token' ? header : []), route, ...more }), open);
  return { decide, inputs, seen };
}

describe('what a transaction is about', () => {
  test('is told to the policy, beside the token', async () => {
    const { decide, inputs } = setUp('optional');
    expect(await decide(['good'])).toMatchObject({ outcome: 'allow', transaction });
    expect(inputs[0]).toMatchObject({
      token: { subject: 'alice' },
      transaction: { txn: 'txn-7', subject: 'alice', requesting_workload: 'spiffe://example.org/gateway' },
    });
  });

  test('is absent where no such token came, unless one is asked for', async () => {
    const { decide, inputs } = setUp('optional');
    expect(await decide([])).toMatchObject({ outcome: 'allow' });
    expect(inputs[0]).not.toHaveProperty('transaction');
    expect(await setUp('required').decide([])).toMatchObject({ reason: 'transaction_token_missing' });
    expect(await decide([], { 'countersign.transaction': 'required' })).toMatchObject({
      reason: 'transaction_token_missing',
    });
  });

  test('is not told where somebody whom it names was revoked', async () => {
    const revocations = {
      identity: () => undefined,
      token: (token: { subject: string }) =>
        token.subject === 'alice' && 'txn' in (token as typeof transaction).claims
          ? refuse('token_revoked', 'entry 1')
          : undefined,
    };
    const { decide, inputs } = setUp('optional', { revocations: revocations as never });
    expect(await decide(['good'])).toMatchObject({ reason: 'transaction_token_invalid', detail: 'entry 1' });
    expect(inputs).toEqual([]);
    expect(await decide([])).toMatchObject({ outcome: 'allow' });
  });

  test('is never told of a token that was refused, asked for or not', async () => {
    const { decide, inputs } = setUp('optional');
    expect(await decide(['bad'])).toMatchObject({ outcome: 'deny', reason: 'transaction_token_invalid' });
    expect(inputs).toEqual([]);
  });

  test('is not looked at where it is off', async () => {
    const { decide, seen, inputs } = setUp('off');
    expect(await decide(['bad'])).toMatchObject({ outcome: 'allow' });
    expect(await setUp('required').decide(['bad'], { 'countersign.transaction': 'off' })).toMatchObject({
      outcome: 'allow',
    });
    expect([seen, inputs[0]]).toEqual([[], expect.not.objectContaining({ transaction: expect.anything() })]);
  });

  test('trap 84: is no credential: where an access token is required, one has to come besides', async () => {
    const { decide } = setUp('required');
    expect(await decide(['good'], {}, { authorization: [] })).toMatchObject({ reason: 'token_missing' });
  });

  test('is told without an access token where none is needed', async () => {
    const { decide, inputs } = setUp('required');
    await decide(['good'], { 'countersign.token': 'off' }, { authorization: [] });
    expect(inputs[0]).toMatchObject({ transaction: { txn: 'txn-7' } });
    expect(inputs[0]).not.toHaveProperty('token');
  });

  test('is waited for while keys are fetched, and no longer than the caller waits', async () => {
    const slow = { verify: () => Promise.resolve(transaction) };
    const { decide } = setUp('required', { transaction: { verifier: slow, mode: 'required' } });
    expect(await decide(['good'])).toMatchObject({ outcome: 'allow' });
    const never = { verify: () => new Promise<never>(() => {}) };
    const stuck = pipeline({ transaction: { verifier: never, mode: 'required' } });
    expect(await stuck.decide(facts({ header: () => ['good'] }), { deadline: NOW + 20 })).toMatchObject({
      reason: 'deadline_exceeded',
    });
  });

  test('cannot be asked for by a route of a server that knows of no service', async () => {
    const decision = pipeline().decide(facts({ route: { 'countersign.transaction': 'required' } }), open);
    expect(decision).toMatchObject({ reason: 'route_misconfigured' });
  });
});
