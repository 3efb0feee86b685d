import { readFile } from 'node:fs/promises';
import type { UserTokenOptions } from '../../decision/user-token.js';
import type { Config, IssuerConfig } from '../../config/schema.js';
import type { DpopTerms, TransactionTerms } from '../../decision/pipeline.js';
import { shareFeeds } from '../../feed/shared.js';
import { createKeySource, type KeySource, type KeySourceStatus } from '../../token/key-source.js';
import { createTransactionVerifier, type TransactionIssuer } from '../../token/transaction.js';
import type { TokenVerifier } from '../../token/types.js';
import { createTokenVerifier, type TrustedIssuer } from '../../token/verifier.js';
import { issuerRules } from '../issuer-rules.js';
import type { OwnSvids } from '../client-authentication.js';
import type { BundlesPart } from './bundles.js';
import { startIntrospection } from './introspection.js';
import { ownSvids } from './own-svids.js';
import { startDpop } from './dpop.js';
import { standing, type AskingOptions, type EnginePart, type ProvenOptions } from './part.js';

/** Milliseconds that the first fetch of keys may hold up readiness. */
const FIRST_KEYS = 5_000;

export interface TokensPart extends EnginePart {
  readonly verifier: TokenVerifier;
  /** Present where users' tokens are looked for. */
  readonly user?: UserTokenOptions;
  readonly dpop: DpopTerms;
  readonly transaction: TransactionTerms | undefined;
  status(): readonly KeySourceStatus[];
  /**
   * Resolves when every issuer was asked once, or after {@link FIRST_KEYS}: an issuer that does not answer must not
   * keep the others' tokens out.
   */
  readonly firstKeys: Promise<void>;
}

/**
 * The issuers, their keys and the stage that leans on them.
 *
 * @throws Failure for what the operator has to mend
 */
export function startTokens(
  config: Config,
  part: ProvenOptions & AskingOptions,
  identity: Pick<BundlesPart, 'own'> = {},
): TokensPart {
  const { hub, now, servers } = part;
  const dpop = startDpop(config, part);
  const options = { hub: shareFeeds(hub), now, svids: ownSvids(identity), servers };
  const issuers = config.token.issuers.map((issuer) => ({
    ...trustedIssuer(issuer, options),
    acceptedAs: issuer.accepted_as,
  }));
  const { user } = config.token;
  const services =
    config.token.transaction?.issuers.map((issuer) => transactionIssuer(issuer, options)) ?? [];
  const sources = [...issuers, ...services].flatMap(({ keys }) => keys ?? []);
  const status = () => sources.map((keys) => keys.status());
  const asked = Promise.all([dpop.started, ...sources.map((keys) => keys.start())]);

  return {
    verifier: createTokenVerifier({
      issuers: issuers.filter(({ acceptedAs }) => acceptedAs.includes('access_token')),
      maxBytes: config.token.max_bytes,
      binding: config.token.binding,
      maxActors: config.token.delegation.max_depth,
      dpop: dpop.verifier,
      now,
    }),
    dpop: dpop.terms,
    transaction: transactionTerms(config.token, services, now),
    ...(user && {
      user: {
        header: user.header,
        mode: user.mode,
        verifier: createTokenVerifier({
          issuers: issuers.filter(({ acceptedAs }) => acceptedAs.includes('user_token')),
          maxBytes: config.token.max_bytes,
          maxActors: config.token.delegation.max_depth,
          now,
        }),
      },
    }),
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
      dpop.stop();
      for (const keys of sources) keys.stop();
    },
  };
}

function transactionTerms(
  { transaction, max_bytes: maxBytes }: Config['token'],
  issuers: readonly TransactionIssuer[],
  now: () => number,
): TransactionTerms | undefined {
  if (transaction === undefined) return undefined;
  const { mode, trust_domain: trustDomain } = transaction;
  return { mode, verifier: createTransactionVerifier({ issuers, trustDomain, maxBytes, now }) };
}

type TransactionConfig = NonNullable<Config['token']['transaction']>;

/** Its keys are kept as those of issuers are unless these say otherwise. */
const KEYS = { jwks_refresh: 300_000, jwks_cooldown: 30_000, jwks_max_stale: 3_600_000 };

function transactionIssuer(
  service: TransactionConfig['issuers'][number],
  options: Options,
): TransactionIssuer {
  return {
    issuer: service.issuer,
    algorithms: service.algorithms,
    maxLifetime: service.max_lifetime,
    clockSkew: service.clock_skew,
    keys: keysOf({ issuer: service.issuer, ...KEYS }, service.jwks, options),
  };
}

interface Options extends AskingOptions {
  readonly svids: OwnSvids | undefined;
}

function trustedIssuer(issuer: IssuerConfig, options: Options): TrustedIssuer {
  const introspection = startIntrospection(issuer, options);
  return {
    ...issuerRules(issuer),
    ...(issuer.jwks !== undefined && { keys: keysOf(issuer, issuer.jwks, options) }),
    ...(introspection && { introspection }),
  };
}

type KeysConfig = Pick<IssuerConfig, 'issuer' | 'jwks_refresh' | 'jwks_cooldown' | 'jwks_max_stale'>;

function keysOf(issuer: KeysConfig, location: string, { hub, now }: Options): KeySource {
  return createKeySource({
    issuer: issuer.issuer,
    location,
    refresh: issuer.jwks_refresh,
    cooldown: issuer.jwks_cooldown,
    maxStale: issuer.jwks_max_stale,
    fetch,
    readFile: (path) => readFile(path, 'utf8'),
    now,
    hub,
  });
}

function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds).unref());
}
