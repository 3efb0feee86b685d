import type { Config } from '../../config/schema.js';
import type { DpopTerms } from '../../decision/pipeline.js';
import { createDpopVerifier, type DpopVerifier } from '../../token/dpop.js';
import { createNonces } from '../../token/nonces.js';
import type { ProvenOptions } from './part.js';
import { nonceSecrets, type NonceSecrets } from './nonce-secrets.js';

export interface DpopPart {
  readonly verifier: DpopVerifier;
  readonly terms: DpopTerms;
  /** Resolves when nonces can be made. Never rejects. */
  readonly started: Promise<void>;
  stop(): void;
}

/**
 * What checks DPoP proofs, with the nonces that all workers take.
 *
 * @throws Failure for a nonce secret that the operator has to mend
 */
export function startDpop(config: Config, options: ProvenOptions): DpopPart {
  const { dpop } = config.token;
  const feed = options.hub.feed<NonceSecrets>('dpop nonce secrets', () => nonceSecrets(dpop.nonce_secret));
  let made: { readonly of: NonceSecrets | undefined; readonly secrets: readonly Buffer[] } = {
    of: undefined,
    secrets: [],
  };
  const secrets = () => {
    const latest = feed.latest();
    if (latest !== made.of)
      made = { of: latest, secrets: (latest ?? []).map((text) => Buffer.from(text, 'base64')) };
    return made.secrets;
  };
  const nonces = createNonces({ secrets, lifetime: dpop.nonce_lifetime });
  const nonceRequired = dpop.nonce === 'always';
  return {
    verifier: createDpopVerifier({
      algorithms: dpop.algorithms,
      maxAge: dpop.max_age,
      clockSkew: dpop.clock_skew,
      nonceRequired,
      nonces,
      origins: new Map(
        Object.entries(dpop.origins ?? {}).map(([host, origin]) => [host.toLowerCase(), origin]),
      ),
      guard: options.replay,
    }),
    terms: { algorithms: dpop.algorithms.join(' '), nonceRequired, nonce: (now) => nonces.current(now) },
    started: feed.start(),
    stop: () => feed.stop(),
  };
}
