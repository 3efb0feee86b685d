import { readFile } from 'node:fs/promises';
import { DISCOVERY } from '../../config/location.js';
import { httpsGet } from '../../spiffe/https-get.js';
import type { FetchPort } from '../../token/fetch-text.js';
import { fetchMetadata, placeOf } from '../../token/metadata.js';

export interface EndpointOptions {
  readonly issuer: string;
  /** The member of the metadata that names the place (RFC 8414 section 2). */
  readonly member: 'introspection_endpoint' | 'token_endpoint';
  /** The file of the roots that the server is verified with (PEM), in place of the system's. */
  readonly ca: string | undefined;
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
  { issuer, member, ca, refresh, now }: EndpointOptions,
): () => Promise<string> {
  if (place !== DISCOVERY) return () => Promise.resolve(place);
  let found: { readonly url: string; readonly at: number } | undefined;
  let asking: Promise<string> | undefined;
  const discover = async () => {
    try {
      const metadata = await fetchMetadata(issuer, { fetch: ca === undefined ? fetch : fetchWith(ca) });
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

/** Milliseconds, and bytes, for one answer. */
const TIMEOUT = 5_000;
const MOST_BYTES = 1024 * 1024;

/** Node's fetch takes no roots of its own. */
function fetchWith(ca: string): FetchPort['fetch'] {
  return async (url, init) => {
    if (!String(url).startsWith('https:')) return fetch(url, init);
    const authorities = await readFile(ca, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new Error(`${ca} cannot be read (${error.code})`, { cause: error });
    });
    const trust = { kind: 'web', authorities } as const;
    const answer = await httpsGet({ url: String(url), trust, timeout: TIMEOUT, maxBytes: MOST_BYTES });
    return new Response(answer === 'unchanged' ? '' : answer.text);
  };
}
