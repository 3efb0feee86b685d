import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { BundleServiceConfig } from '../config/schema.js';
import { refuse, type Refusal } from '../errors/refusal.js';
import type { BundleAnswer, BundlePollerOptions } from '../policy/bundle-poller.js';
import type { BundleCode } from '../policy/bundle-refusal.js';
import { gather } from './parcel.js';
import { readNamed } from './read-named.js';

/**
 * GET of one bundle, with the service's credentials and roots. Files of credentials are read each time, so that they
 * may rotate. Redirects are answers like others: who answers must not choose another source.
 *
 * @param limit of the body, in bytes
 */
export function bundleGetter(
  service: BundleServiceConfig,
  resource: string,
  limit: number,
): BundlePollerOptions['get'] {
  const url = new URL(`${service.url.replace(/\/+$/, '')}/${resource.replace(/^\/+/, '')}`);
  return async (headers, milliseconds, signal) => {
    const given = await credentials(service);
    const bearer = await token(service);
    const sent = {
      ...headers,
      'accept-encoding': 'identity',
      'user-agent': 'countersign',
      ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
    };
    // Not AbortSignal.any: the timeout in it is lost when garbage is collected before its time has come.
    const ending = new AbortController();
    const end = () => ending.abort();
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    // A connection of its own: rotated certificates count at once, and none goes stale in a pool.
    const options: RequestOptions = { ...given, agent: false, signal: ending.signal, headers: sent };
    try {
      return await get(url, options, limit);
    } catch (error) {
      throw explained(url, error as NodeJS.ErrnoException, ending.signal.aborted);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  };
}

async function credentials({ ca, credentials: given }: BundleServiceConfig): Promise<object> {
  const tls = given?.client_tls;
  return {
    ...(ca !== undefined && { ca: await readNamed(ca) }),
    ...(tls && { cert: await readNamed(tls.cert), key: await readNamed(tls.private_key) }),
  };
}

async function token({ credentials: given }: BundleServiceConfig): Promise<string | undefined> {
  if (given?.bearer === undefined) return undefined;
  const text = (await readNamed(given.bearer.token_path)).trim();
  if (!/^[\x21-\x7e]+$/.test(text)) throw new Error(`${given.bearer.token_path} holds no token`);
  return text;
}

function get(url: URL, options: RequestOptions, limit: number): Promise<BundleAnswer | Refusal<BundleCode>> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, (answer) => {
      read(answer, limit).then(resolve, reject);
    });
    request.on('error', reject);
    request.end();
  });
}

async function read(answer: IncomingMessage, limit: number): Promise<BundleAnswer | Refusal<BundleCode>> {
  const { statusCode: status = 0, headers } = answer;
  const told = {
    status,
    ...(headers.etag !== undefined && { etag: headers.etag }),
    ...(headers['content-type'] !== undefined && { contentType: headers['content-type'] }),
  };
  if (status !== 200) {
    answer.destroy(); // the body is not wanted
    return told;
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    answer.destroy();
    throw new Error('answered with a content-encoding that was not asked for');
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > limit) {
      answer.destroy();
      return refuse('bundle_too_large', `the bundle is larger than ${limit} bytes`);
    }
    chunks.push(chunk);
  }
  return { ...told, body: await gather(chunks) };
}

/** Names the place without its query, and Node's code for what happened. */
function explained(url: URL, error: NodeJS.ErrnoException, late: boolean): Error {
  const place = `${url.origin}${url.pathname}`;
  if (late) return new Error(`${place} gave no whole answer in time`, { cause: error });
  const what = error.code === undefined ? `: ${error.message}` : ` cannot be reached (${error.code})`;
  return new Error(`${place}${what}`, { cause: error });
}
