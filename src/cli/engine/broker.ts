import { createBroker, type BrokerServer, type Subject } from '../../broker/broker.js';
import { createTokenEndpoint, type Grant } from '../../broker/token-endpoint.js';
import { createTokenSource, type TokenAnswer, type TokenQuestion } from '../../broker/token-source.js';
import type { Broker } from '../../broker/types.js';
import type { BrokerServerConfig, Config } from '../../config/schema.js';
import type { OwnSvids } from '../client-authentication.js';
import type { BundlesPart } from './bundles.js';
import { ownSvids } from './own-svids.js';
import type { AskingOptions } from './part.js';
import { serverEndpoint } from './server-endpoint.js';

/** Milliseconds for which the place of a token endpoint, out of metadata, serves without another look. */
const METADATA = 300_000;

/** What obtains tokens for upstreams; one process asks the servers for all workers. Undefined where none are configured. */
export function startBroker(
  { broker, identity, token }: Config,
  options: AskingOptions,
  bundles: Pick<BundlesPart, 'own'>,
): Broker | undefined {
  if (broker === undefined) return undefined;
  const { cache_size: capacity } = broker;
  const svids = ownSvids(bundles);
  const servers = Object.entries(broker.servers).map(([name, server]): BrokerServer => {
    const terms = { maxLifetime: server.max_lifetime, minRemaining: server.min_remaining };
    return {
      name,
      subject: subjectOf(server, identity),
      audiences: new Set(server.audiences),
      scopes: new Set(server.scopes),
      header: server.header,
      terms,
      ask: options.hub.service<TokenQuestion, TokenAnswer>(`tokens of ${name}`, () =>
        createTokenSource({
          ask: endpointFor(server, svids, options.now),
          terms,
          timeout: server.timeout,
          concurrency: server.max_concurrent,
          capacity,
          now: options.now,
          onEnd: options.servers.add('tokens', name),
        }),
      ),
    };
  });
  return createBroker({ servers, capacity, maxBytes: token.max_bytes });
}

function subjectOf(
  { grant, assertion }: BrokerServerConfig,
  { jwt_svid: jwtSvid }: Config['identity'],
): Subject {
  if (grant === 'token_exchange') return { kind: 'access_token' };
  // The schema holds the two sections together.
  if (grant === 'jwt_bearer' && assertion === 'callers') return { kind: 'jwt_svid', header: jwtSvid!.header };
  return { kind: 'none' };
}

function endpointFor(server: BrokerServerConfig, svids: OwnSvids | undefined, now: () => number) {
  const { issuer } = server;
  return createTokenEndpoint({
    ...serverEndpoint({
      issuer,
      place: server.token_endpoint,
      member: 'token_endpoint',
      client: server,
      refresh: METADATA,
      svids,
      now,
    }),
    issuer,
    grant: grantOf(server, svids),
    audienceParameter: server.audience_parameter,
    now,
  });
}

function grantOf(
  { issuer, grant, assertion, subject_token_type }: BrokerServerConfig,
  svids?: OwnSvids,
): Grant {
  switch (grant) {
    case 'token_exchange':
      return { type: grant, subjectTokenType: subject_token_type ?? 'access_token' };
    case 'client_credentials':
      return { type: grant };
    case 'jwt_bearer':
      // Without `own`, the agent is there: bundles.ts starts it for such a server.
      return assertion === 'callers' ? { type: grant } : { type: grant, own: () => svids!.jwt(issuer) };
  }
}
