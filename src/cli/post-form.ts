import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { PostForm } from '../token/post-form.js';

/** What TLS to a server is made with. */
export interface TlsMaterial {
  /** PEM: the roots that the server is verified with, in place of the system's. */
  readonly ca?: string;
  /** PEM: the client certificate with its chain, and its key. */
  readonly certificate?: string;
  readonly key?: string;
}

/** Bytes of an answer. */
const MOST_BYTES = 64 * 1024;

/**
 * POST of forms over connections that are kept, for endpoints that tokens are sent to. Redirects are answers like
 * others: whoever answers must not choose who else sees a token. Nothing of an answer gets into an error.
 *
 * @param material is asked before each request; other material than before makes new connections
 */
export function createPostForm(material: () => Promise<TlsMaterial>): PostForm & { close(): void } {
  const plain = new HttpAgent({ keepAlive: true });
  let held: { readonly name: string; readonly agent: HttpsAgent } | undefined;

  async function agentOf(url: string): Promise<HttpAgent> {
    if (!url.startsWith('https:')) return plain;
    const { ca, certificate: cert, key } = await material();
    const name = JSON.stringify([ca, cert, key]);
    if (held?.name === name) return held.agent;
    // The former agent's connections serve the requests under way, and end when the server is tired of them.
    held = { name, agent: new HttpsAgent({ keepAlive: true, ca, cert, key, minVersion: 'TLSv1.2' }) };
    return held.agent;
  }

  const post: PostForm = async (url, form) => {
    const agent = await agentOf(url);
    try {
      return await send(url, form, agent);
    } catch (error) {
      throw explained(url, error as NodeJS.ErrnoException, form.signal.aborted);
    }
  };
  return Object.assign(post, {
    close() {
      plain.destroy();
      held?.agent.destroy();
    },
  });
}

function send(
  url: string,
  { headers, body, signal }: Parameters<PostForm>[1],
  agent: HttpAgent,
): ReturnType<PostForm> {
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      agent,
      signal,
      headers: { ...headers, 'accept-encoding': 'identity', 'content-length': Buffer.byteLength(body) },
    };
    const request = (url.startsWith('https:') ? requestHttps : requestHttp)(url, options, (answer) => {
      read(answer).then(resolve, reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** With these an OAuth server says in JSON what was wrong (RFC 6749 section 5.2). */
const TELLING: readonly number[] = [200, 400, 401];

async function read(answer: IncomingMessage): ReturnType<PostForm> {
  const { statusCode: status = 0, headers } = answer;
  const type = headers['content-type'];
  if (!TELLING.includes(status)) {
    answer.resume(); // the body is not wanted, the connection is
    return { status, body: '' };
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) {
      answer.destroy();
      throw new Error(`answered more than ${MOST_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  if (encoding !== 'identity') throw new Error('answered with a content-encoding that was not asked for');
  return { status, body: Buffer.concat(chunks).toString('utf8'), type };
}

/** Names the place without its query, and Node's code for what happened. */
function explained(url: string, error: NodeJS.ErrnoException, late: boolean): Error {
  const { origin, pathname } = new URL(url);
  if (late) return new Error(`${origin}${pathname} gave no whole answer in time`, { cause: error });
  const what = error.code === undefined ? error.message : `cannot be reached (${error.code})`;
  return new Error(`${origin}${pathname} ${what}`, { cause: error });
}
