import type { IssuerConfig } from '../../config/schema.js';
import { DISCOVERY } from '../../config/location.js';
import type { PostForm } from '../../token/post-form.js';
import { fetchMetadata, placeOf } from '../../token/metadata.js';
import { createCredentials, type Credentials, type OwnSvids } from '../client-authentication.js';
import { fetchWithRoots } from '../fetch-with-roots.js';
import { createPostForm } from '../post-form.js';

export interface EndpointOptions {
  readonly issuer: string;
  /** A URL, or `discovery`. */
  readonly place: string;
  /** The member of the metadata that names the place (RFC 8414 section 2). */
  readonly member: 'introspection_endpoint' | 'token_endpoint';
  /** What is configured for every server that this one is a client of. */
  readonly client: Pick<
    NonNullable<IssuerConfig['introspection']>,
    'ca' | 'client_id' | 'client_authentication'
  >;
  /** Milliseconds for which what was found in metadata serves without another look. */
  readonly refresh: number;
  readonly svids: OwnSvids | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** An endpoint of an authorization server, with what it takes to be its client. */
export interface ServerEndpoint {
  /** Where it is. Rejects with an Error where no place was ever found. */
  readonly endpoint: () => Promise<string>;
  readonly clientId: string;
  readonly authentication: Credentials['authentication'];
  readonly post: PostForm;
}

export function serverEndpoint(options: EndpointOptions): ServerEndpoint {
  const { issuer, client, svids } = options;
  const credentials = createCredentials(client.client_authentication, { issuer, ca: client.ca, svids });
  return {
    endpoint: options.place === DISCOVERY ? discovered(options) : () => Promise.resolve(options.place),
    clientId: client.client_id,
    authentication: credentials.authentication,
    post: createPostForm(credentials.tls),
  };
}

/** Metadata are asked for again from time to time; the last place serves while that fails. */
function discovered({ issuer, member, client, refresh, now }: EndpointOptions): () => Promise<string> {
  let found: { readonly url: string; readonly at: number } | undefined;
  let asking: Promise<string> | undefined;
  const discover = async () => {
    try {
      const metadata = await fetchMetadata(issuer, { fetch: fetchWithRoots(client.ca) });
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
