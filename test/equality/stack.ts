import { createPipeline } from '../../src/decision/pipeline.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { createCell } from '../../src/feed/cell.js';
import { compilePathTemplate, DEFAULT_PATH_TEMPLATE } from '../../src/identity/path-template.js';
import { parseTrustBundle, TrustBundles } from '../../src/identity/trust-bundle.js';
import { createIdentityVerifier } from '../../src/identity/verifier.js';
import { createDestinationReader } from '../../src/identity/workload.js';
import { createReplayMemory } from '../../src/jws/replay.js';
import { parseKeySet, type KeySet } from '../../src/jws/key-set.js';
import type { Bundle } from '../../src/policy/bundle.js';
import { HOST_BUILTINS } from '../../src/policy/builtins/index.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import type { Policy } from '../../src/policy/types.js';
import { createRevocationCheck, type RevocationStatus } from '../../src/revocation/check.js';
import type { Revocation } from '../../src/revocation/types.js';
import { createAuthorization } from '../../src/server/authorization.js';
import type { UnaryMethod } from '../../src/server/call.js';
import type { Observation } from '../../src/telemetry/observation.js';
import { createDpopVerifier } from '../../src/token/dpop.js';
import { createNonces } from '../../src/token/nonces.js';
import type { KeySource } from '../../src/token/key-source.js';
import { createTokenVerifier } from '../../src/token/verifier.js';
import { ENTRYPOINT, GATEWAY, type Edge, type IssuerText } from './world.js';

/** What a request came to, the id of its decision aside: that is another for each. */
export interface Outcome {
  readonly reason: string;
  readonly detail: string | undefined;
  /** The CheckResponse as it goes over the wire, in latin1. */
  readonly answer: string;
}

/**
 * Everything between a request's bytes and the answer's, over one state of the world that a test changes. It is
 * imported twice, with caches that remember and with caches that do not.
 */
export interface Stack {
  /** @param edge which of two servers is asked, by where they read the workload's identity */
  decide(message: Buffer, edge: Edge): Promise<Outcome>;
  setTrust(bundles: readonly (readonly [trustDomain: string, text: string])[]): void;
  /** The JWK Set of each issuer; undefined where it has grown stale. */
  setKeys(texts: readonly (string | undefined)[]): Promise<void>;
  /** The same bundle is loaded once, unless it is to be loaded anew. */
  setPolicy(bundle: Bundle | undefined, anew: boolean): Promise<void>;
  setRevocations(entries: readonly Revocation[], unreachableSince: number | undefined): void;
}

export interface StackOptions {
  readonly issuers: readonly IssuerText[];
  /** What the second issuer's server says of an opaque token. */
  readonly introspect: (token: string) => string;
  readonly now: () => number;
  /** Whether each request meets stages that were made for it, which know of none before. */
  readonly fresh: boolean;
}

/** Milliseconds for which the list of what was revoked serves while its store cannot be reached. */
const REVOCATIONS_MAX_STALE = 60_000;

export function createStack({ issuers, introspect, now, fresh }: StackOptions): Stack {
  let bundles = new TrustBundles([], 0);
  let revision = 0;
  let sets: readonly (KeySet | undefined)[] = issuers.map(() => undefined);
  let policy: Policy | undefined;
  const loaded = new Map<Bundle, Policy>();
  const revocations = createCell<readonly Revocation[]>([]);
  const revocationStatus = createCell<RevocationStatus>({ loaded: true, entries: 0 });
  // What was used is no cache: whoever forgets it answers otherwise.
  const guard = createReplayMemory({ capacity: 1_000_000, now: () => now() - 3_600_000 });
  let seen: Observation | undefined;
  let told: ((seen: Observation) => void) | undefined;

  function keysOf(index: number): KeySource {
    const nothing = () => Promise.resolve();
    const status = () => ({ issuer: issuers[index]!.issuer, keys: 0, stale: false });
    return { current: () => sets[index], demand: nothing, start: nothing, stop() {}, status };
  }

  function make(edge: Edge): UnaryMethod {
    const size = fresh ? { cacheSize: 1 } : {};
    const template = compilePathTemplate(DEFAULT_PATH_TEMPLATE);
    const dpop = createDpopVerifier({
      algorithms: ['ES256'],
      maxAge: 60_000,
      clockSkew: 5_000,
      nonceRequired: false,
      nonces: createNonces({ secrets: () => [], lifetime: 60_000 }),
      origins: new Map(),
      guard,
    });
    const pipeline = createPipeline({
      identity: createIdentityVerifier({
        ...(edge === 'direct'
          ? { source: 'certificate' }
          : {
              source: 'xfcc',
              xfcc: { trustedHops: 1, format: 'auto', from: new Set([GATEWAY]), fromUnauthenticated: false },
            }),
        bundles: { current: () => bundles },
        template,
        ...size,
      }),
      destination: createDestinationReader(template),
      token: createTokenVerifier({
        issuers: issuers.map(({ issuer, algorithms }, index) => ({
          issuer,
          algorithms,
          audiences: ['orders', 'billing'],
          profile: 'at+jwt',
          maxLifetime: 3_600_000,
          clockSkew: index * 1500,
          keys: keysOf(index),
          // Its word counts for a while, and never beyond what it says of the token's expiry.
          ...(index === 1 && {
            introspection: {
              tokens: 'opaque',
              ask: (token: string) => ({ at: now(), body: introspect(token) }),
              cache: 30_000,
            },
          }),
        })),
        dpop,
        maxBytes: 8192,
        now,
        ...size,
      }),
      tokenMode: 'optional',
      revocations: createRevocationCheck({
        shards: [fresh ? createCell(revocations.latest()) : revocations],
        status: fresh ? createCell(revocationStatus.latest()) : revocationStatus,
        maxStale: REVOCATIONS_MAX_STALE,
      }),
      dpop: { algorithms: 'ES256', nonceRequired: false, nonce: () => undefined },
      policy: () => policy,
      entrypoint: ENTRYPOINT,
      now,
    });
    return createAuthorization({
      pipeline,
      observe(observation) {
        seen = observation;
        told?.(observation);
      },
      onDefect(error) {
        throw error;
      },
    });
  }

  const lasting = { direct: make('direct'), forwarded: make('forwarded') };

  return {
    async decide(message, edge) {
      let answer: Buffer | undefined;
      seen = undefined;
      const check = fresh ? make(edge) : lasting[edge];
      check({
        message,
        deadline: Number.POSITIVE_INFINITY,
        cancelled: false,
        answer: (bytes) => (answer ??= Buffer.from(bytes)),
      });
      const { decision } = seen ?? (await new Promise<Observation>((resolve) => (told = resolve)));
      told = undefined;
      if (answer === undefined) throw new Error('there is no answer');
      const text = answer.toString('latin1');
      if (!text.includes(decision.id)) throw new Error('the answer does not tell its decision');
      return {
        reason: decision.reason,
        detail: decision.detail,
        answer: text.replaceAll(decision.id, '-'.repeat(decision.id.length)),
      };
    },
    setTrust(texts) {
      const parts = texts.map(([trustDomain, text]) => {
        const bundle = parseTrustBundle(trustDomain, text);
        if (isRefusal(bundle)) throw new Error(bundle.detail);
        return bundle;
      });
      bundles = new TrustBundles(parts, ++revision);
    },
    async setKeys(texts) {
      // A text that comes again is another set of keys: that is how it is where it was fetched again.
      const fetched = texts.map((text) => (text === undefined ? undefined : parseKeySet(text)));
      sets = await Promise.all(fetched);
    },
    async setPolicy(bundle, anew) {
      if (bundle === undefined) return void (policy = undefined);
      const known = anew ? undefined : loaded.get(bundle);
      // Those of this import: what is imported later is of the modules that the other stack is made of.
      const options = { entrypoints: [ENTRYPOINT], builtins: HOST_BUILTINS, reuse: !fresh };
      const made = known ?? (await loadPolicy({ bundle, ...options }));
      if (isRefusal(made)) throw new Error(made.detail);
      loaded.set(bundle, made);
      policy = made;
    },
    setRevocations(entries, unreachableSince) {
      revocations.set(entries);
      revocationStatus.set({
        loaded: true,
        entries: entries.length,
        ...(unreachableSince !== undefined && { unreachableSince }),
      });
    },
  };
}
