import { fetchText, type FetchPort } from './fetch-text.js';
import { fetchMetadata, placeOf } from './metadata.js';

/** What fetching needs of the outside world. */
export interface KeyFetchPorts extends FetchPort {
  readonly readFile: (path: string) => Promise<string>;
}

/**
 * Fetches the text of an issuer's JWK Set.
 *
 * @param location an absolute path, an http(s) URL, or `discovery`
 * @throws Error that says what went wrong, without anything of what was answered
 */
export async function fetchKeys(issuer: string, location: string, ports: KeyFetchPorts): Promise<string> {
  if (location === 'discovery')
    return fetchText(placeOf(await fetchMetadata(issuer, ports), 'jwks_uri'), ports);
  if (/^https?:/.test(location)) return fetchText(location, ports);
  try {
    return await ports.readFile(location);
  } catch (error) {
    throw new Error(`${location} cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}
