import { createHash, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { RevocationAnswer, RevocationQuestion } from '../authority.js';
import { consequences, type Consequence, type SignalResult } from './events.js';
import { fault, isSetFault, readSet, verifySet, type SetFault, type Transmitter } from './set.js';

export interface Push {
  readonly contentType: string | undefined;
  readonly authorization: string | undefined;
  readonly body: string;
  /** The address that it came from. */
  readonly from: string;
}

export interface PushAnswer {
  readonly status: number;
  /** Of a failure. */
  readonly body?: { readonly err: string; readonly description: string };
}

/** What became of a token, for the log and the metrics. */
export interface SignalEvent {
  readonly result: SignalResult | 'repeated' | 'refused' | 'unavailable';
  /** Of the transmitter, as far as it is known. */
  readonly issuer?: string | undefined;
  readonly type?: string;
  /** Of what was refused. It quotes nothing. */
  readonly detail?: string;
}

export interface ReceiverOptions {
  readonly transmitters: readonly Transmitter[];
  readonly ask: (question: RevocationQuestion) => RevocationAnswer | Promise<RevocationAnswer>;
  readonly longestLife: (issuer: string | undefined) => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly onSignal: (event: SignalEvent) => void;
}

/** Tokens whose `jti` is remembered: one that comes again is acknowledged, and does nothing a second time. */
const REMEMBERED = 10_000;

/**
 * The receiving end of push delivery (RFC 8935): 202 once what the token tells is in force and kept; 400 with the
 * fault; 503 when the transmitter should try again.
 */
export function createReceiver(options: ReceiverOptions): (push: Push) => Promise<PushAnswer> {
  const transmitters = new Map(options.transmitters.map((one) => [one.issuer, one]));
  const seen = new LRUCache<string, true>({ max: REMEMBERED });

  async function receive(push: Push): Promise<PushAnswer> {
    if (!/^application\/secevent\+jwt\s*(;|$)/i.test(push.contentType ?? ''))
      return refused(fault('invalid_request', 'the content type is not application/secevent+jwt'));
    const read = readSet(push.body.trim(), transmitters);
    if (isSetFault(read)) return refused(read);
    const { jws, transmitter } = read;
    const { issuer } = transmitter;
    if (!(await isAuthorized(push.authorization, transmitter)))
      return refused(
        fault('authentication_failed', 'the Authorization header is not the one agreed upon'),
        issuer,
      );
    const told = await verifySet(push.body.trim(), jws, transmitter, options.now());
    if (isSetFault(told)) return refused(told, issuer);
    const id = digest(JSON.stringify([issuer, told.jti])).toString('base64');
    if (seen.has(id)) {
      options.onSignal({ result: 'repeated', issuer });
      return { status: 202 };
    }
    const made = consequences(told, { ...options, transmitter, now: options.now() });
    if (isSetFault(made)) return refused(made, issuer);
    const failure = await enforce(made, `${push.from} for ${issuer}`);
    if (failure !== undefined) return refused(fault('unavailable', failure), issuer);
    seen.set(id, true);
    for (const { result, type } of made) options.onSignal({ result, issuer, type });
    return { status: 202 };
  }

  async function enforce(made: readonly Consequence[], from: string): Promise<string | undefined> {
    const entries = made.flatMap((one) => one.entries);
    if (entries.length === 0) return undefined;
    const answer = await options.ask({ ask: 'add', entries, from });
    return 'failed' in answer ? answer.detail : undefined;
  }

  function refused({ err, description }: SetFault, issuer?: string): PushAnswer {
    const result = err === 'unavailable' ? 'unavailable' : 'refused';
    options.onSignal({ result, issuer, detail: `${err}: ${description}` });
    if (err === 'unavailable') return { status: 503 };
    return { status: 400, body: { err, description } };
  }

  return async (push) => {
    try {
      return await receive(push);
    } catch {
      // The process that keeps the list is gone, or a secret cannot be read: it is for the transmitter to try again.
      return refused(fault('unavailable', 'it cannot be taken just now'));
    }
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

async function isAuthorized(header: string | undefined, { secret }: Transmitter): Promise<boolean> {
  if (secret === undefined) return true;
  const given = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1] ?? '';
  return timingSafeEqual(digest(given), digest(await secret()));
}
