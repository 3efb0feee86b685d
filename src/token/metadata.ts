import { parseExact, type ExactJson } from '../json/exact.js';
import { fetchText, type FetchPort } from './fetch-text.js';

/** What an authorization server says of itself (RFC 8414 section 2). */
export interface ServerMetadata {
  readonly [name: string]: ExactJson;
}

/**
 * The metadata of an issuer. RFC 8414 section 3.1 puts the well-known part before the issuer's path, OpenID Connect
 * Discovery section 4 after it; the first that answers with JSON has to name this very issuer (RFC 8414
 * section 3.3). Servers that know only the other place may answer here with a page for people.
 *
 * @throws Error that says what went wrong, without anything of what was answered
 */
export async function fetchMetadata(issuer: string, ports: FetchPort): Promise<ServerMetadata> {
  const url = new URL(issuer);
  const path = url.pathname.replace(/\/$/, '');
  const places = [
    `${url.origin}/.well-known/oauth-authorization-server${path}`,
    `${url.origin}${path}/.well-known/openid-configuration`,
  ];
  let failure = new Error('no metadata');
  for (const place of places) {
    let metadata: ExactJson;
    try {
      metadata = readMetadata(await fetchText(place, ports));
    } catch (error) {
      failure = error as Error;
      continue;
    }
    const named = metadata as { [name: string]: ExactJson } | null;
    if (named?.issuer !== issuer) throw new Error('the metadata is of another issuer');
    return named;
  }
  throw failure;
}

/**
 * One of the places that the metadata name.
 *
 * @throws Error where it is missing, or anybody on the way could change what comes from there
 */
export function placeOf(metadata: ServerMetadata, name: string): string {
  const uri = metadata[name];
  if (typeof uri !== 'string' || !isSecure(uri)) throw new Error(`the metadata has no https ${name}`);
  return uri;
}

function readMetadata(text: string): ExactJson {
  try {
    return parseExact(text);
  } catch {
    throw new Error('the metadata is not JSON');
  }
}

/** On loopback nobody is on the way. */
function isSecure(uri: string): boolean {
  try {
    const { protocol, hostname } = new URL(uri);
    if (protocol === 'https:') return true;
    return protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  } catch {
    return false;
  }
}
