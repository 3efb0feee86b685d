import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { introspectionRequest, type ClientAuth } from 'oauth4webapi';
import { createInFlight } from '../feed/in-flight.js';
import { readAnswer } from './introspection-answer.js';
import { posting, type PostForm } from './post-form.js';
import { createThrottle, RequestFault, type ThrottleOptions, whyUnanswered } from './throttle.js';

export interface IntrospectionOptions extends ThrottleOptions {
  readonly issuer: string;
  /** Where the issuer is asked. Rejects with an Error where that cannot be found out. */
  readonly endpoint: () => Promise<string>;
  readonly clientId: string;
  readonly authentication: () => Promise<ClientAuth>;
  readonly post: PostForm;
  /** Milliseconds that an answer counts at most. */
  readonly cache: number;
  /** The same of an answer that says no. */
  readonly negativeCache: number;
  /** Milliseconds for one answer. */
  readonly timeout: number;
}

/** Plain data, so that one process can ask for all workers. `at`: when it was asked, milliseconds since the epoch. */
export type Introspected = { readonly at: number; readonly body: string } | { readonly failure: string };

/** Asks an issuer about a token (RFC 7662). Never rejects. */
export type Introspect = (token: string) => Introspected | Promise<Introspected>;

/** Characters of remembered answers. */
const MOST_REMEMBERED = 32 * 1024 * 1024;

/**
 * What asks one issuer. Requests about one token that are under way at once are one request, answers are remembered for
 * as long as they count, and a server that does not answer is left alone after a few attempts.
 */
export function createIntrospection(options: IntrospectionOptions): Introspect {
  const { now } = options;
  const throttle = createThrottle(options);
  const answers = new LRUCache<string, { readonly until: number; readonly answer: Introspected }>({
    maxSize: MOST_REMEMBERED,
    sizeCalculation: ({ answer }) => 200 + ('body' in answer ? answer.body.length : 0),
  });
  const once = createInFlight<Introspected>();

  async function ask(id: string, token: string): Promise<Introspected> {
    const at = now();
    const signal = AbortSignal.timeout(options.timeout);
    try {
      const body = await throttle.run(() => send(options, token, signal), signal);
      const answer = { at, body };
      const lasting = readAnswer(body) === undefined ? options.negativeCache : options.cache;
      if (lasting > 0) answers.set(id, { until: at + lasting, answer });
      return answer;
    } catch (error) {
      return { failure: whyUnanswered(error, signal) };
    }
  }

  return (token) => {
    const id = createHash('sha256').update(token).digest('base64');
    const known = answers.get(id);
    if (known !== undefined && now() < known.until) return known.answer;
    return once(id, () => ask(id, token));
  };
}

/** @throws Error without anything of the token, the answer or the credentials */
async function send(
  { issuer, clientId, authentication, endpoint, post }: IntrospectionOptions,
  token: string,
  signal: AbortSignal,
): Promise<string> {
  const place = await endpoint();
  const response = await introspectionRequest(
    { issuer, introspection_endpoint: place },
    { client_id: clientId },
    await authentication(),
    token,
    {
      additionalParameters: { token_type_hint: 'access_token' },
      ...posting(post, signal),
    },
  );
  // A redirect is an answer like any other that is none: whoever answers does not choose who sees the token.
  if (response.status !== 200) {
    const message = `${place} answered ${response.status}`;
    throw saysOfServer(response.status) ? new Error(message) : new RequestFault(message);
  }
  const body = await response.text();
  if (readAnswer(body) === null) throw new Error(`${place} answered with something else than RFC 7662 has`);
  return body;
}

/**
 * Whether this status is about the server, or about us as its client. Any other may be about this one token, which a
 * caller chose: it must not be able to pause everybody's introspection.
 */
function saysOfServer(status: number): boolean {
  return status === 401 || status === 408 || status === 429 || status >= 500;
}
