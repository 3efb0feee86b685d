import type { IssuerConfig } from '../../config/schema.js';
import type { IntrospectionRules } from '../../token/introspected.js';
import { createIntrospection, type Introspect } from '../../token/introspection.js';
import type { OwnSvids } from '../client-authentication.js';
import { serverEndpoint } from './server-endpoint.js';
import type { AskingOptions } from './part.js';

/** Asking one issuer about its tokens: one process does so for all workers. */
export function startIntrospection(
  issuer: IssuerConfig,
  { hub, now, svids, servers }: AskingOptions & { readonly svids: OwnSvids | undefined },
) {
  const { introspection } = issuer;
  if (introspection === undefined) return undefined;
  const ask = hub.service<string, Awaited<ReturnType<Introspect>>>(`introspection of ${issuer.issuer}`, () =>
    createIntrospection({
      ...serverEndpoint({
        issuer: issuer.issuer,
        place: introspection.endpoint,
        member: 'introspection_endpoint',
        client: introspection,
        refresh: issuer.jwks_refresh,
        svids,
        now,
      }),
      issuer: issuer.issuer,
      cache: introspection.cache,
      negativeCache: introspection.negative_cache,
      timeout: introspection.timeout,
      concurrency: introspection.max_concurrent,
      now,
      onEnd: servers.add('introspection', issuer.issuer),
    }),
  );
  const rules: IntrospectionRules = {
    ask,
    tokens: introspection.tokens,
    cache: introspection.cache,
    ...(introspection.prefix !== undefined && { prefix: introspection.prefix }),
    ...(introspection.assume_audience !== undefined && { assumedAudience: introspection.assume_audience }),
  };
  return rules;
}
