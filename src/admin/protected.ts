import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What an operator may do once it has shown the secret. */
export interface ProtectedRoute {
  /** The path itself and everything below it. */
  readonly path: string;
  readonly handle: (request: ProtectedRequest) => Promise<ProtectedAnswer>;
}

export interface ProtectedRequest {
  readonly method: string;
  /** Below the route's path, percent-decoded; empty for the path itself. */
  readonly id: string;
  readonly query: URLSearchParams;
  /** Empty where there is none. */
  readonly body: string;
  /** The address that it came from. */
  readonly from: string;
}

export interface ProtectedAnswer {
  readonly status: number;
  readonly body: object;
  readonly headers?: { readonly [name: string]: string };
}

/** Bytes of a body. */
const MOST_BYTES = 1024 * 1024;

/**
 * Lets a request through to its route when it has `Authorization: Bearer` with the secret. A browser that a foreign
 * page leads here has no such header to send, and JSON alone is taken, which such a page cannot send either without
 * asking first.
 *
 * @param secret reads it anew each time, so that it can be changed; undefined where none is configured
 */
export async function answerProtected(
  request: IncomingMessage,
  { path, handle }: ProtectedRoute,
  secret: (() => Promise<string>) | undefined,
): Promise<ProtectedAnswer> {
  if (secret === undefined)
    return { status: 403, body: { error: 'off', mend: 'set listen.admin_token_file, and restart' } };
  let expected: string;
  try {
    expected = await secret();
  } catch (error) {
    return { status: 503, body: { error: 'unavailable', detail: (error as Error).message } };
  }
  if (!isSecret(request.headers.authorization, expected))
    return {
      status: 401,
      body: {
        error: 'unauthorized',
        mend: 'send Authorization: Bearer with what listen.admin_token_file holds',
      },
      headers: { 'www-authenticate': 'Bearer realm="countersign admin"' },
    };
  const { method = '' } = request;
  if (method === 'POST' && !/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? ''))
    return {
      status: 415,
      body: { error: 'unsupported_media_type', mend: 'send content-type: application/json' },
    };
  const body = await readBody(request);
  if (body === undefined)
    return { status: 413, body: { error: 'too_large', mend: `send at most ${MOST_BYTES} bytes` } };
  const url = new URL(request.url ?? '/', 'http://admin.invalid');
  const id = decode(url.pathname.slice(path.length + 1));
  if (id === undefined) return { status: 400, body: { error: 'invalid_request' } };
  return handle({ method, id, query: url.searchParams, body, from: request.socket.remoteAddress ?? '' });
}

/** Compared as digests, in a time that tells nothing of where they differ. */
function isSecret(header: string | undefined, expected: string): boolean {
  const given = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return given !== undefined && timingSafeEqual(digest(given), digest(expected));
}

/** undefined when it is longer than is read, or no UTF-8. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  // The connection has to live on for the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BYTES) return undefined;
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    return undefined;
  }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
