import { DISCOVERY } from '../../config/location.js';
import { fetchMetadata, placeOf } from '../../token/metadata.js';

export interface EndpointOptions {
  readonly issuer: string;
  /** The member of the metadata that names the place (RFC 8414 section 2). */
  readonly member: 'introspection_endpoint' | 'token_endpoint';
  /** Milliseconds for which what was found serves without another look. */
  readonly refresh: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * An endpoint of an authorization server, out of configuration or out of its metadata. These are asked for again from time
 * to time; the last place serves while that fails.
 *
 * @returns what rejects with an Error where no place was ever found
 */
export function endpointOf(
  place: string,
  { issuer, member, refresh, now }: EndpointOptions,
): () => Promise<string> {
  if (place !== DISCOVERY) return () => Promise.resolve(place);
  let found: { readonly url: string; readonly at: number } | undefined;
  let asking: Promise<string> | undefined;
  const discover = async () => {
    try {
      const metadata = await fetchMetadata(issuer, { fetch });
      found = { url: placeOf(metadata, member), at: now() };
    } catch (error) {
      if (found === undefined) throw error;
      found = { ...found, at: now() };
    }
    return found.url;
  };
  return () => {
    if (found !== undefined && now() - found.at < refresh) return Promise.resolve(found.url);
    return (asking ??= discover().finally(() => (asking = undefined)));
  };
}
