import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { readCredential } from '../token/bearer.js';
import type { ObtainedToken } from './token-response.js';
import { usable, type TokenAnswer, type TokenQuestion, type TokenTerms } from './token-source.js';
import type { Broker, BrokerCode, BrokerOutcome, BrokerRequest, UpstreamToken } from './types.js';

/**
 * What is shown to a server besides who this server is: the caller's access token (RFC 8693), a JWT-SVID as an assertion
 * (RFC 7523) – the caller's own, out of a header, or this server's – or nothing (RFC 6749 section 4.4).
 */
export type Subject =
  | { readonly kind: 'access_token' }
  | { readonly kind: 'jwt_svid'; readonly header: string }
  | { readonly kind: 'none' };

/** One server whose tokens may be asked for. */
export interface BrokerServer {
  readonly name: string;
  readonly subject: Subject;
  /** What a policy may ask for; nothing else is ever asked of the server. */
  readonly audiences: ReadonlySet<string>;
  readonly scopes: ReadonlySet<string>;
  /** The header that the upstream gets the token in, in small letters. */
  readonly header: string;
  readonly terms: TokenTerms;
  /** Asks in one process for all workers. It may reject when that process is gone. */
  readonly ask: (question: TokenQuestion) => TokenAnswer | Promise<TokenAnswer>;
}

export interface BrokerOptions {
  readonly servers: readonly BrokerServer[];
  /** Tokens that are kept. */
  readonly capacity: number;
  /** A longer access token was refused before. Bytes. */
  readonly maxBytes: number;
}

/** A token that is at hand. Times are milliseconds since the epoch. */
interface Kept {
  readonly token: UpstreamToken;
  readonly until: number;
  readonly renewAt: number;
  renewing?: true;
}

/**
 * Obtains what policies ask for, within what the configuration lets them. A token is kept for one workload, one subject,
 * one audience and one set of scopes, and where it was exchanged for one token of the caller alone: another token of the
 * same subject may say less.
 */
export function createBroker({ servers, capacity, maxBytes }: BrokerOptions): Broker {
  const byName = new Map(servers.map((server) => [server.name, server]));
  const kept = new LRUCache<string, Kept>({ max: capacity });

  function keep(
    server: BrokerServer,
    question: TokenQuestion,
    limit: number,
    answer: ObtainedToken,
  ): UpstreamToken {
    const { token: text, expiresAt } = answer;
    const token: UpstreamToken = {
      header: server.header,
      value: `Bearer ${text}`,
      from: server.name,
      audience: question.audience,
      scopes: question.scopes,
      obtained: 'server',
      expiresAt,
    };
    const times = usable(answer, server.terms);
    if (times === undefined) {
      kept.delete(question.key);
      return token;
    }
    const until = Math.min(times.until, limit);
    kept.set(question.key, { token: { ...token, obtained: 'cache' }, until, renewAt: times.renewAt });
    return token;
  }

  async function ask(server: BrokerServer, question: TokenQuestion, limit: number): Promise<BrokerOutcome> {
    let answer: TokenAnswer;
    try {
      answer = await server.ask(question);
    } catch {
      answer = { failure: 'unavailable', detail: 'nobody is there to ask' };
    }
    if (!('failure' in answer)) return keep(server, question, limit, answer);
    if (answer.failure === 'refused') kept.delete(question.key);
    const code = answer.failure === 'refused' ? 'upstream_token_refused' : 'upstream_token_unavailable';
    return refuse(code, `${server.name}: ${answer.detail}`);
  }

  return {
    obtain(request) {
      const server = byName.get(request.wish.from);
      if (server === undefined)
        return refuse('upstream_token_not_allowed', 'broker.servers has none of that name');
      const question = questionOf(server, request, maxBytes);
      if (isRefusal(question)) return question;
      // RFC 8693 section 2.2.1 leaves it open: what was exchanged must not outlive what it was exchanged for.
      const limit = server.subject.kind === 'access_token' ? request.token!.expiresAt * 1000 : Infinity;
      const known = kept.get(question.key);
      if (known === undefined || request.now >= known.until) return ask(server, question, limit);
      if (request.now >= known.renewAt && !known.renewing) {
        known.renewing = true;
        // A failure leaves the present one, which is asked about again at the next request.
        void ask(server, question, limit).finally(() => delete known.renewing);
      }
      return known.token;
    },
  };
}

function questionOf(
  server: BrokerServer,
  { wish, identity, token, authorization, header }: BrokerRequest,
  maxBytes: number,
): TokenQuestion | Refusal<BrokerCode> {
  if (!server.audiences.has(wish.audience))
    return refuse(
      'upstream_token_not_allowed',
      `the audience is none of broker.servers.${server.name}.audiences`,
    );
  if (!wish.scopes.every((scope) => server.scopes.has(scope)))
    return refuse('upstream_token_not_allowed', `a scope is none of broker.servers.${server.name}.scopes`);
  const scopes = [...new Set(wish.scopes)].sort();
  const subject = subjectOf(server.subject, token !== undefined, authorization, header, maxBytes);
  if (isRefusal(subject)) return subject;
  const key = JSON.stringify([
    server.name,
    identity.spiffeId,
    token?.issuer ?? '',
    token?.subject ?? '',
    subject === undefined ? '' : createHash('sha256').update(subject).digest('base64'),
    wish.audience,
    ...scopes,
  ]);
  return { key, audience: wish.audience, scopes, ...(subject !== undefined && { subject }) };
}

/** What of the request is shown to the server: the very text that was verified. */
function subjectOf(
  subject: Subject,
  hasToken: boolean,
  authorization: readonly string[],
  header: (name: string) => readonly string[],
  maxBytes: number,
): string | undefined | Refusal<'upstream_token_subject_missing'> {
  if (subject.kind === 'none') return undefined;
  if (subject.kind === 'access_token') {
    const credential = hasToken ? readCredential(authorization, maxBytes) : undefined;
    return credential === undefined || isRefusal(credential)
      ? refuse('upstream_token_subject_missing', 'there is no access token to exchange')
      : credential.token;
  }
  const [line, ...others] = header(subject.header);
  return line === undefined || others.length > 0
    ? refuse('upstream_token_subject_missing', `there is no JWT-SVID in ${subject.header}`)
    : line.replace(/^bearer +/i, '');
}
