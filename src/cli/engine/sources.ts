import type { AdminOptions } from '../../admin/http.js';
import type { Config } from '../../config/schema.js';
import type { FreshnessSources } from '../../telemetry/metrics.js';
import type { Broker } from '../../broker/types.js';
import { startAskedServers } from './asked-servers.js';
import { startBroker } from './broker.js';
import { startEndpoint, type EndpointPart } from './endpoint.js';
import { startIdentity, type IdentityPart } from './identity.js';
import type { EnginePart, PartOptions } from './part.js';
import { startRevocation, type RevocationPart } from './revocation.js';
import { startReplay } from './replay.js';
import { startTokens, type TokensPart } from './tokens.js';
import { sharedReplayGuard } from './valkey.js';

/** What decisions lean on and what is kept fresh in the background, the policy aside. */
export interface Sources {
  readonly identity: IdentityPart;
  readonly tokens: TokensPart;
  readonly revocation: RevocationPart;
  readonly broker: Broker | undefined;
  readonly endpoint: EndpointPart;
  /** All of them, in the order in which they are told. */
  readonly parts: readonly EnginePart[];
  readonly freshness: Pick<
    FreshnessSources,
    'jwks' | 'trustBundles' | 'workloadApi' | 'revocations' | 'signals' | 'endpoint' | 'servers'
  >;
  /** What operators may say and ask over `listen.admin`. */
  readonly adminRoutes: NonNullable<AdminOptions['protectedRoutes']>;
  stop(): Promise<void>;
}

/**
 * Starts every source. It runs in each process alike: the hub says which of them fetches, and which of them only
 * hold what another one fetched.
 *
 * @throws Failure for what the operator has to mend
 */
export async function startSources(config: Config, options: PartOptions): Promise<Sources> {
  const servers = startAskedServers();
  const replay = startReplay(options, sharedReplayGuard(config, options.now));
  const proven = { ...options, servers, replay };
  const identity = await startIdentity(config, proven);
  const tokens = startTokens(config, proven, identity);
  const revocation = await startRevocation(config, options);
  const endpoint = await startEndpoint(config, options, { identity, revocation });
  const parts = [identity, tokens, revocation, endpoint, servers];
  return {
    identity,
    tokens,
    revocation,
    broker: startBroker(config, proven, identity),
    endpoint,
    parts,
    freshness: {
      jwks: () => tokens.status(),
      trustBundles: () => identity.status(),
      workloadApi: () => identity.streams(),
      revocations: () => revocation.status(),
      signals: () => revocation.signals(),
      endpoint: () => endpoint.status(),
      servers: () => servers.status(),
    },
    adminRoutes: [{ path: '/revocations', handle: revocation.desk }],
    async stop() {
      for (const part of [...parts].reverse()) await part.stop();
    },
  };
}
