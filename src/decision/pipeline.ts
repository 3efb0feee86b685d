import { randomUUID } from 'node:crypto';
import type { Broker, BrokerOutcome, UpstreamToken } from '../broker/types.js';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { IdentityVerifier, Workload, WorkloadIdentity } from '../identity/types.js';
import type { Policy, PolicyResult, UpstreamTokenWish } from '../policy/types.js';
import type { RevocationCheck } from '../revocation/types.js';
import type { TransactionVerifier } from '../token/transaction.js';
import type { Transaction } from '../token/transaction-claims.js';
import type {
  BindingRequirement,
  Misuse,
  TokenRefusal,
  TokenVerifier,
  VerifiedToken,
} from '../token/types.js';
import { allow, deny, withUpstreamToken } from './answer.js';
import { SCHEMES, type Challenge } from './challenge.js';
import { within } from './deadline.js';
import type { Allow, Decision, PolicyEvidence, StageTimings } from './decision.js';
import type { RequestFacts } from './facts.js';
import { policyInput } from './input.js';
import type { ReasonCode } from './reasons.js';
import { readRoute, type Route, type TokenMode } from './route.js';
import {
  refuseUserToken,
  verifyUserToken,
  type UserTokenOptions,
  type UserTokenRefusal,
} from './user-token.js';

export interface PipelineOptions {
  readonly identity: IdentityVerifier;
  /** What `destination.principal` says of the workload that is called. */
  readonly destination: (principal: string) => Workload | undefined;
  readonly token: TokenVerifier;
  readonly tokenMode: TokenMode;
  /** Present where a user's token may stand beside the access token. */
  readonly userToken?: UserTokenOptions | undefined;
  /** What was taken back; absent where nothing ever is. */
  readonly revocations?: RevocationCheck | undefined;
  /** What is asked of every token's binding. Default `optional`. */
  readonly binding?: BindingRequirement;
  /** Present where DPoP proofs are checked. */
  readonly dpop?: DpopTerms;
  /** Absent where no transaction tokens are looked at. */
  readonly transaction?: TransactionTerms | undefined;
  /** Obtains what policies want for upstreams; absent where none may want anything. */
  readonly broker?: Broker | undefined;
  /** The URL of the resource's metadata, for challenges (RFC 9728). */
  readonly resourceMetadata?: string | undefined;
  /** The policy in force, read once a decision: no decision sees two. Undefined until one has loaded. */
  readonly policy: () => Policy | undefined;
  /** The entrypoint of routes that name none. */
  readonly entrypoint: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** How transaction tokens are treated on routes that say nothing of their own. */
export interface TransactionTerms {
  readonly verifier: TransactionVerifier;
  readonly mode: TokenMode;
}

/** What clients are told of DPoP. */
export interface DpopTerms {
  /** The algorithms that a proof may be signed with, with spaces between. */
  readonly algorithms: string;
  /** Whether each proof has to hold a nonce. */
  readonly nonceRequired: boolean;
  /** A nonce for a client's next proof; undefined while there is none. */
  nonce(now: number): string | undefined;
}

export interface DecideOptions {
  /** Milliseconds since the epoch at which the caller stops waiting; Infinity when it never does. */
  readonly deadline: number;
}

/** Decides requests, each afresh. */
export interface Pipeline {
  /**
   * Never throws and never rejects: what goes wrong in here is a denial with `internal_error`. The answer
   * comes at once, without a promise, unless a signature or a key has to be waited for.
   */
  decide(facts: RequestFacts | Refusal<ReasonCode>, options: DecideOptions): Decision | Promise<Decision>;
}

/** Answer this much ahead of the caller's deadline (ms): an answer that arrives after it is a wasted one. */
const MARGIN = 5;

/** The longest that a decision waits for keys (ms) when the caller set no deadline of its own. */
const PATIENCE = 5_000;

/** One decision as it grows. */
interface Progress {
  readonly id: string;
  readonly at: number;
  readonly deadline: number;
  readonly timings: StageTimings;
  identity?: WorkloadIdentity;
  token?: VerifiedToken;
  transaction?: Transaction;
  userToken?: VerifiedToken;
  misuse?: Misuse;
  policy?: PolicyEvidence;
  upstreamToken?: UpstreamToken;
  singular?: true;
  /** Made once the route is known, and called for denials alone. */
  challenge?: (code: ReasonCode) => Challenge;
}

export function createPipeline(options: PipelineOptions): Pipeline {
  return {
    decide(facts, { deadline }) {
      const at = options.now();
      const progress: Progress = {
        id: randomUUID(),
        at,
        deadline: Math.min(deadline, at + PATIENCE),
        timings: {},
      };
      try {
        const decision = run(options, progress, facts);
        return decision instanceof Promise ? decision.catch((error) => broken(progress, error)) : decision;
      } catch (error) {
        return broken(progress, error);
      }
    },
  };
}

function run(
  options: PipelineOptions,
  progress: Progress,
  facts: RequestFacts | Refusal<ReasonCode>,
): Decision | Promise<Decision> {
  if (isRefusal(facts)) return stop(progress, facts);
  if (late(progress, progress.at)) return tooLate(progress);

  const policy = options.policy();
  if (policy === undefined) return stop(progress, refuse('policy_unavailable', 'no policy has loaded yet'));
  const route = readRoute(facts.route, {
    tokenMode: options.tokenMode,
    userTokenMode: options.userToken?.mode,
    entrypoint: options.entrypoint,
    entrypoints: policy.entrypoints,
  });
  if (isRefusal(route)) return stop(progress, route);
  progress.challenge = (code) => challengeOf(code, options, facts, route);

  const began = performance.now();
  const identity = options.identity.verify(facts.peer, progress.at);
  return settle(options, progress, identity, 'the workload', (known) =>
    authorize(options, progress, facts, policy, route, began, known),
  );
}

/**
 * Goes on with what a stage found: at once where it is here, otherwise when it comes or can no longer be waited for.
 *
 * @param what the stage looks at, in words for the operator
 * @param next gets the time as well, in milliseconds since the epoch
 */
function settle<Found>(
  options: PipelineOptions,
  progress: Progress,
  found: Found | Promise<Found>,
  what: string,
  next: (found: Found | Refusal<'deadline_exceeded'>, now: number) => Decision | Promise<Decision>,
): Decision | Promise<Decision> {
  if (!(found instanceof Promise)) return next(found, progress.at);
  return within(found, progress.deadline - MARGIN - options.now(), () =>
    refuse('deadline_exceeded', `${what} could not be verified before the deadline`),
  ).then((settled) => shutOutSince(options, progress) ?? next(settled, options.now()));
}

/** A workload that was shut out while its request waited: of one that did not wait, nothing can have changed. */
function shutOutSince({ revocations, now }: PipelineOptions, progress: Progress): Decision | undefined {
  const shutOut = progress.identity && revocations?.identity(progress.identity, now());
  return shutOut && stop(progress, shutOut);
}

/** What comes once the workload is known, or is not. @param began what `performance.now()` said before */
function authorize(
  options: PipelineOptions,
  progress: Progress,
  facts: RequestFacts,
  policy: Policy,
  route: Route,
  began: number,
  identity: WorkloadIdentity | Refusal<ReasonCode>,
): Decision | Promise<Decision> {
  const started = performance.now();
  progress.timings.identity = nanoseconds(started - began);
  if (isRefusal(identity)) return stop(progress, identity);
  progress.identity = identity;
  const { revocations } = options;
  const shutOut = revocations?.identity(identity, progress.at);
  if (shutOut) return stop(progress, shutOut);

  // A TCP connection cannot carry a token: the policy decides on identity alone (input.request is absent).
  if (facts.http === undefined) return judge(options, progress, facts, policy, route, started);
  if (route.tokenMode === 'off') return askUser(options, progress, facts, policy, route, started);

  const proceed = (
    token: VerifiedToken | TokenRefusal | Refusal<'deadline_exceeded'>,
    now: number,
  ): Decision | Promise<Decision> => {
    const judging = performance.now();
    progress.timings.token = nanoseconds(judging - started);
    if (!isRefusal(token)) {
      progress.token = token;
      const revoked = revocations?.token(token, identity, progress.at);
      if (revoked) return stop(progress, revoked);
    } else if (token.code !== 'token_missing' || route.tokenMode === 'required') {
      if ('misuse' in token && token.misuse) progress.misuse = token.misuse;
      return stop(progress, token);
    }
    return late(progress, now)
      ? tooLate(progress)
      : askUser(options, progress, facts, policy, route, judging);
  };
  const token = options.token.verify({
    authorization: facts.authorization,
    ...(identity.thumbprint !== undefined && { peerThumbprint: identity.thumbprint }),
    presenter: identity.spiffeId,
    header: facts.header,
    http: facts.http,
    ...(route.audience !== undefined && { audience: route.audience }),
    ...(route.binding !== undefined && { binding: route.binding }),
    now: progress.at,
  });
  return settle(options, progress, token, 'the token', proceed);
}

/** The user's token, where there may be one, and then the policy. @param started what `performance.now()` said */
function askUser(
  options: PipelineOptions,
  progress: Progress,
  facts: RequestFacts,
  policy: Policy,
  route: Route,
  started: number,
): Decision | Promise<Decision> {
  const { userToken, revocations } = options;
  if (userToken === undefined || route.userTokenMode === 'off')
    return withTransaction(options, progress, facts, policy, route, started);
  const identity = progress.identity!;

  const proceed = (
    token: VerifiedToken | UserTokenRefusal | Refusal<'deadline_exceeded'>,
    now: number,
  ): Decision | Promise<Decision> => {
    const judging = performance.now();
    progress.timings.token = (progress.timings.token ?? 0) + nanoseconds(judging - started);
    if (!isRefusal(token)) {
      const revoked = revocations?.token(token, identity, progress.at);
      if (revoked) return stop(progress, refuseUserToken(userToken.header, revoked));
      progress.userToken = token;
    } else if (token.code !== 'user_token_missing' || route.userTokenMode === 'required') {
      if ('misuse' in token && token.misuse) progress.misuse = token.misuse;
      return stop(progress, token);
    }
    return late(progress, now)
      ? tooLate(progress)
      : withTransaction(options, progress, facts, policy, route, judging);
  };
  const token = verifyUserToken(userToken, facts, identity, progress.at);
  return settle(options, progress, token, "the user's token", proceed);
}

/** Judges once it is known what the transaction is about, where that is looked at. */
function withTransaction(
  options: PipelineOptions,
  progress: Progress,
  facts: RequestFacts,
  policy: Policy,
  route: Route,
  started: number,
): Decision | Promise<Decision> {
  const { transaction: terms } = options;
  const mode = route.transactionMode ?? terms?.mode ?? 'off';
  if (mode === 'off' || facts.http === undefined)
    return judge(options, progress, facts, policy, route, started);
  const proceed = (
    verified: Transaction | undefined | Refusal<ReasonCode>,
    now: number,
  ): Decision | Promise<Decision> => {
    if (isRefusal(verified)) return stop(progress, verified);
    const revoked = verified && options.revocations?.token(verified, progress.identity!, progress.at);
    if (revoked) return stop(progress, refuse('transaction_token_invalid', revoked.detail));
    if (verified !== undefined) progress.transaction = verified;
    else if (mode === 'required')
      return stop(progress, refuse('transaction_token_missing', 'no Txn-Token header'));
    return late(progress, now) ? tooLate(progress) : judge(options, progress, facts, policy, route, started);
  };
  // A route can ask for one though the server knows of no service: then none can be verified.
  if (terms === undefined)
    return stop(progress, refuse('route_misconfigured', 'countersign.transaction without token.transaction'));
  const verified = terms.verifier.verify(facts.header('txn-token'), progress.at);
  return settle<Transaction | undefined | Refusal<ReasonCode>>(
    options,
    progress,
    verified,
    'the transaction token',
    proceed,
  );
}

/** @param started what `performance.now()` said when its turn came */
function judge(
  options: PipelineOptions,
  progress: Progress,
  facts: RequestFacts,
  policy: Policy,
  route: Route,
  started: number,
): Decision | Promise<Decision> {
  const identity = progress.identity!;
  const destination = options.destination(facts.destination);
  const { token, transaction, userToken } = progress;
  const input = policyInput(facts, identity, token, destination, transaction, userToken);
  const result = policy.evaluate(route.entrypoint, input, progress.at);
  progress.timings.policy = nanoseconds(performance.now() - started);
  const { revision, bundles } = policy;
  const { entrypoint } = route;
  if (isRefusal(result)) {
    progress.policy = { revision, ...(bundles && { bundles }), entrypoint, input };
    return stop(progress, result);
  }
  progress.policy = bundles
    ? { revision, bundles, entrypoint, input, result }
    : { revision, entrypoint, input, result };

  if (!result.allowed) {
    const detail = result.reason ?? result.reasons.join('; ');
    return stop(progress, refuse(denialReason(result, progress.token), detail), result);
  }
  if (result.upstreamToken === undefined) return letThrough(options, progress, facts, result);
  return obtainUpstreamToken(options, progress, facts, result, result.upstreamToken);
}

/** What the policy wants for the upstream: without it the request is not let through. */
function obtainUpstreamToken(
  options: PipelineOptions,
  progress: Progress,
  facts: RequestFacts,
  result: PolicyResult,
  wish: UpstreamTokenWish,
): Decision | Promise<Decision> {
  const { broker, revocations } = options;
  if (broker === undefined || facts.http === undefined) {
    const detail = broker
      ? 'a TCP connection has no header for a token'
      : 'there is no configuration of broker.servers';
    return stop(progress, refuse('upstream_token_not_allowed', detail));
  }
  const { identity, token, at: now } = progress;
  const { authorization, header } = facts;
  const proceed = (obtained: BrokerOutcome | Refusal<'deadline_exceeded'>, then: number): Decision => {
    if (isRefusal(obtained)) return stop(progress, obtained);
    // Whatever let the request through may have been taken back while it waited.
    const { userToken, transaction } = progress;
    const brought = then === now ? [] : [token, userToken, transaction].filter((one) => one !== undefined);
    for (const one of brought) {
      const revoked = revocations?.token(one, identity!, then);
      if (revoked) return stop(progress, revoked);
    }
    if (late(progress, then)) return tooLate(progress);
    progress.upstreamToken = obtained;
    return letThrough(options, progress, facts, result);
  };
  const obtained = broker.obtain({ wish, identity: identity!, token, authorization, header, now });
  return settle<BrokerOutcome>(options, progress, obtained, 'the token for the upstream', proceed);
}

function letThrough(
  options: PipelineOptions,
  progress: Progress,
  facts: RequestFacts,
  result: PolicyResult,
): Decision {
  const { id, token, policy, upstreamToken } = progress;
  const identity = progress.identity!;
  const subject = { id, identity, token, reason: 'allowed' as const, policyRevision: policy?.revision };
  const nonce =
    token && options.dpop?.nonceRequired && isDpop(facts.authorization)
      ? options.dpop.nonce(progress.at)
      : undefined;
  if (nonce === undefined && upstreamToken === undefined)
    return new Decided(progress, 'allow', 'allowed', () => allow(facts, subject, result));
  // Such an answer is for this request alone.
  progress.singular = true;
  return new Decided(progress, 'allow', 'allowed', () =>
    withNonce(withUpstreamToken(allow(facts, subject, result), upstreamToken), nonce),
  );
}

/** Who brought a token can bring a better one; who brought none is only denied. */
function denialReason(
  { stepUp, requiredScopes }: PolicyResult,
  token: VerifiedToken | undefined,
): ReasonCode {
  if (token === undefined) return 'policy_denied';
  if (stepUp !== undefined) return 'insufficient_user_authentication';
  return requiredScopes.length > 0 ? 'insufficient_scope' : 'policy_denied';
}

/** RFC 9449 section 8.2: so that a client need not be refused to learn of the next one. */
function withNonce(answer: Allow, nonce: string | undefined): Allow {
  if (nonce === undefined) return answer;
  return { ...answer, responseHeadersToAdd: [...answer.responseHeadersToAdd, ['dpop-nonce', nonce]] };
}

function stop(progress: Progress, refusal: Refusal<ReasonCode>, result?: PolicyResult): Decision {
  const { id, identity, token, policy } = progress;
  const challenge = progress.challenge?.(refusal.code);
  const subject = { id, identity, token, reason: refusal.code, policyRevision: policy?.revision, challenge };
  const detail = refusal.detail === '' ? undefined : refusal.detail;
  return new Decided(progress, 'deny', refusal.code, () => deny(subject, result), detail, challenge);
}

/** What the client of a denial is told would do: RFC 9449 section 7.1 has challenges for both schemes side by side. */
function challengeOf(
  code: ReasonCode,
  { dpop, binding, resourceMetadata: general, now }: PipelineOptions,
  { authorization }: RequestFacts,
  route: Route,
): Challenge {
  const resourceMetadata = route.resourceMetadata ?? general;
  if (dpop === undefined) return { schemes: SCHEMES.bearer, algorithms: '', resourceMetadata };
  const asked = route.binding ?? binding ?? 'optional';
  const proving = code.startsWith('dpop_') || isDpop(authorization);
  const either = asked === 'required' && !proving;
  const nonce =
    code === 'dpop_nonce_required' || (proving && dpop.nonceRequired) ? dpop.nonce(now()) : undefined;
  return {
    schemes: either ? SCHEMES.either : proving || asked === 'dpop' ? SCHEMES.dpop : SCHEMES.bearer,
    algorithms: dpop.algorithms,
    nonce,
    resourceMetadata,
  };
}

function isDpop([line]: readonly string[]): boolean {
  return line !== undefined && /^dpop(?: |$)/i.test(line);
}

/** Its answer is made when it is asked for: nobody asks for one that was written before (src/envoy/encode-decision.ts). */
class Decided implements Decision {
  readonly id: string;
  readonly at: number;
  readonly timings: StageTimings;
  readonly identity?: WorkloadIdentity;
  readonly token?: VerifiedToken;
  readonly policy?: PolicyEvidence;
  readonly transaction?: Transaction;
  readonly misuse?: Misuse;
  readonly upstreamToken?: UpstreamToken;
  readonly challenge?: Challenge;
  readonly singular?: true;
  readonly detail?: string;
  #answer: Decision['answer'] | undefined;
  readonly #make: () => Decision['answer'];

  constructor(
    { id, at, timings, identity, token, transaction, misuse, policy, upstreamToken, singular }: Progress,
    readonly outcome: Decision['outcome'],
    readonly reason: ReasonCode,
    make: () => Decision['answer'],
    detail?: string,
    challenge?: Challenge,
  ) {
    this.id = id;
    this.at = at;
    this.timings = timings;
    if (identity) this.identity = identity;
    if (token) this.token = token;
    if (transaction) this.transaction = transaction;
    if (misuse) this.misuse = misuse;
    if (policy) this.policy = policy;
    if (upstreamToken) this.upstreamToken = upstreamToken;
    if (challenge) this.challenge = challenge;
    if (singular) this.singular = singular;
    if (detail !== undefined) this.detail = detail;
    this.#make = make;
  }

  get answer(): Decision['answer'] {
    return (this.#answer ??= this.#make());
  }
}

/** A defect of ours. The message may hold anything, so only the kind of error is kept. */
function broken(progress: Progress, error: unknown): Decision {
  const kind = error instanceof Error ? error.name : typeof error;
  return stop(progress, refuse('internal_error', `unexpected ${kind}`));
}

function late({ deadline }: Progress, now: number): boolean {
  return now >= deadline - MARGIN;
}

function tooLate(progress: Progress): Decision {
  return stop(progress, refuse('deadline_exceeded', 'the deadline of the caller had passed or was too near'));
}

/** A bigint for each reading of the clock would cost more than the stage. */
function nanoseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6);
}
