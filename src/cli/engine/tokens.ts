import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/schema.js';
import { createKeySource, type KeySourceStatus } from '../../token/key-source.js';
import type { TokenVerifier } from '../../token/types.js';
import { createTokenVerifier } from '../../token/verifier.js';
import { issuerRules } from '../issuer-rules.js';
import { standing, type EnginePart, type PartOptions } from './part.js';
/** Milliseconds that the first fetch of keys may hold up readiness. */
const FIRST_KEYS = 5_000;

export interface TokensPart extends EnginePart {
  readonly verifier: TokenVerifier;
  status(): readonly KeySourceStatus[];
  /**
   * Resolves when every issuer was asked once, or after {@link FIRST_KEYS}: an issuer that does not answer must not
   * keep the others' tokens out.
   */
  readonly firstKeys: Promise<void>;
}

/** The issuers, their keys and the stage that leans on them. */
export function startTokens(config: Config, { hub, now }: PartOptions): TokensPart {
  const issuers = config.token.issuers.map((issuer) => ({
    ...issuerRules(issuer),
    keys: createKeySource({
      issuer: issuer.issuer,
      location: issuer.jwks,
      refresh: issuer.jwks_refresh,
      cooldown: issuer.jwks_cooldown,
      maxStale: issuer.jwks_max_stale,
      fetch,
      readFile: (path) => readFile(path, 'utf8'),
      now,
      hub,
    }),
  }));
  const status = () => issuers.map(({ keys }) => keys.status());
  const asked = Promise.all(issuers.map(({ keys }) => keys.start()));

  return {
    verifier: createTokenVerifier({ issuers, maxBytes: config.token.max_bytes, now }),
    status,
    firstKeys: Promise.race([asked.then(() => {}), elapsed(FIRST_KEYS)]),
    checks: () =>
      Object.fromEntries(
        status().map(({ issuer, stale, lastError }) => [
          `keys of ${issuer}`,
          { ...standing(lastError), ok: !stale },
        ]),
      ),
    standings: () => status().map(({ issuer, lastError }) => [`keys of ${issuer}`, lastError] as const),
    stop() {
      for (const { keys } of issuers) keys.stop();
    },
  };
}

function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds).unref());
}
