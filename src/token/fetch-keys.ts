import { parseExact, type ExactJson } from '../json/exact.js';

/** What fetching needs of the outside world. */
export interface KeyFetchPorts {
  readonly fetch: typeof fetch;
  readonly readFile: (path: string) => Promise<string>;
}

/** Bytes. A set of a hundred RSA keys takes 50 kB. */
const MOST_BYTES = 1024 * 1024;

/** Milliseconds for one answer, its body included. */
const TIMEOUT = 5_000;

/**
 * Fetches the text of an issuer's JWK Set.
 *
 * @param location an absolute path, an http(s) URL, or `discovery`
 * @throws Error that says what went wrong, without anything of what was answered
 */
export async function fetchKeys(issuer: string, location: string, ports: KeyFetchPorts): Promise<string> {
  if (location === 'discovery') return get(await discover(issuer, ports), ports);
  if (/^https?:/.test(location)) return get(location, ports);
  try {
    return await ports.readFile(location);
  } catch (error) {
    throw new Error(`${location} cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}

/**
 * The issuer's `jwks_uri`. RFC 8414 section 3.1 puts the well-known part before the issuer's path, OpenID Connect
 * Discovery section 4 after it; the first that answers with JSON has to name this very issuer (RFC 8414
 * section 3.3). Servers that know only the other place may answer here with a page for people.
 */
async function discover(issuer: string, ports: KeyFetchPorts): Promise<string> {
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
      metadata = readMetadata(await get(place, ports));
    } catch (error) {
      failure = error as Error;
      continue;
    }
    return jwksUri(metadata, issuer);
  }
  throw failure;
}

function readMetadata(text: string): ExactJson {
  try {
    return parseExact(text);
  } catch {
    throw new Error('the metadata is not JSON');
  }
}

function jwksUri(document: ExactJson, issuer: string): string {
  const metadata = document as { [name: string]: ExactJson } | null;
  if (metadata?.issuer !== issuer) throw new Error('the metadata is of another issuer');
  const uri = metadata.jwks_uri;
  if (typeof uri !== 'string' || !isSecure(uri)) throw new Error('the metadata has no https jwks_uri');
  return uri;
}

/** Keys must not be changed on their way. On loopback nobody is on the way. */
function isSecure(uri: string): boolean {
  try {
    const { protocol, hostname } = new URL(uri);
    if (protocol === 'https:') return true;
    return protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  } catch {
    return false;
  }
}

async function get(url: string, ports: KeyFetchPorts): Promise<string> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT);
  try {
    // A redirect would let whoever answers choose another source of keys.
    const answer = await ports.fetch(url, {
      redirect: 'error',
      signal: abort.signal,
      headers: { accept: 'application/jwk-set+json, application/json' },
    });
    if (!answer.ok) {
      abort.abort(); // ends the connection: the body is not wanted
      throw new Error(`${url} answered ${answer.status}`);
    }
    return await read(answer, abort);
  } catch (error) {
    if ((error as Error).name === 'AbortError')
      throw new Error(`${url} gave no answer in time`, { cause: error });
    throw (error as Error).name === 'TypeError'
      ? new Error(`${url} cannot be reached${causeOf(error as Error)}`, { cause: error })
      : error;
  } finally {
    clearTimeout(timer);
  }
}

/** What Node's fetch keeps to itself: ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED, or that it was a redirect. */
function causeOf({ cause }: Error): string {
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return ` (${code})`;
  return message === 'unexpected redirect' ? ' (it redirects, which is not followed)' : '';
}

async function read(answer: Response, abort: AbortController): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  if (answer.body === null) return text;
  for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) {
      abort.abort();
      throw new Error(`${answer.url} answered more than ${MOST_BYTES} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
