import type { IssuerConfig } from '../../config/schema.js';
import { fetchMetadata, placeOf } from '../../token/metadata.js';
import type { IntrospectionRules } from '../../token/introspected.js';
import { createIntrospection, type Introspect } from '../../token/introspection.js';
import { createCredentials, type OwnSvids } from '../client-authentication.js';
import { createPostForm } from '../post-form.js';
import type { PartOptions } from './part.js';

/** Asking one issuer about its tokens: one process does so for all workers. */
export function startIntrospection(
  issuer: IssuerConfig,
  { hub, now, svids }: Pick<PartOptions, 'hub' | 'now'> & { readonly svids: OwnSvids | undefined },
) {
  const { introspection } = issuer;
  if (introspection === undefined) return undefined;
  const ask = hub.service<string, Awaited<ReturnType<Introspect>>>(
    `introspection of ${issuer.issuer}`,
    () => {
      const credentials = createCredentials(introspection.client_authentication, {
        issuer: issuer.issuer,
        ca: introspection.ca,
        svids,
      });
      return createIntrospection({
        issuer: issuer.issuer,
        endpoint: endpointOf(issuer, introspection.endpoint, now),
        clientId: introspection.client_id,
        authentication: credentials.authentication,
        post: createPostForm(credentials.tls),
        cache: introspection.cache,
        negativeCache: introspection.negative_cache,
        timeout: introspection.timeout,
        concurrency: introspection.max_concurrent,
        now,
      });
    },
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

/** The place from the metadata is asked for again as often as keys are; the last one serves while that fails. */
function endpointOf(issuer: IssuerConfig, place: string, now: () => number): () => Promise<string> {
  if (place !== 'discovery') return () => Promise.resolve(place);
  let found: { readonly url: string; readonly at: number } | undefined;
  let asking: Promise<string> | undefined;
  const discover = async () => {
    try {
      const metadata = await fetchMetadata(issuer.issuer, { fetch });
      found = { url: placeOf(metadata, 'introspection_endpoint'), at: now() };
    } catch (error) {
      if (found === undefined) throw error;
      found = { ...found, at: now() };
    }
    return found.url;
  };
  return () => {
    if (found !== undefined && now() - found.at < issuer.jwks_refresh) return Promise.resolve(found.url);
    return (asking ??= discover().finally(() => (asking = undefined)));
  };
}
