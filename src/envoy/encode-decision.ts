import { LRUCache } from 'lru-cache';
import type { Decision, PolicyEvidence } from '../decision/decision.js';
import { encodeCheckResponse } from './encode-response.js';
import { toCheckResponse } from './response.js';

/** Answers of each outcome that are kept, of about 1 KiB each. */
const MOST = 1_000;

/** What an answer depends on, the decision's id aside. Parts that are equal are the same object here. */
interface Kind {
  readonly identity: Decision['identity'] | undefined;
  readonly token: Decision['token'] | undefined;
  readonly result: PolicyEvidence['result'] | undefined;
  readonly revision: string | undefined;
  readonly reason: Decision['reason'];
  readonly challenge: Decision['challenge'] | undefined;
}

/** An answer that may be given again. */
interface Prepared {
  readonly kind: Kind;
  /** Its bytes, and where in them the decision's id stands. Undefined until it has been given twice. */
  wire?: { readonly bytes: Buffer; readonly places: readonly number[] } | undefined;
}

/**
 * Makes the function that writes a decision as a CheckResponse.
 *
 * An answer says who asks, what the policy said, why, and which decision it was. So for the same identity, token, result,
 * reason and challenge only the id is another one: such answers are written once and then copied, with the id put in. The
 * stages hand out the same objects for the same certificate, token and result, which makes that a look-up.
 *
 * Not so where the answer holds something that is this request's own: a nonce, a token for the upstream, headers of ours that
 * the client sent and that are removed by their names.
 */
export function createDecisionEncoder(): (decision: Decision, forgedHeaders: readonly string[]) => Buffer {
  const prepared = {
    allow: new LRUCache<object, Prepared>({ max: MOST }),
    deny: new LRUCache<object, Prepared>({ max: MOST }),
  };

  return (decision, forgedHeaders) => {
    const { outcome } = decision;
    const subject = decision.token ?? decision.identity;
    if (subject === undefined || isOfOneRequest(decision, forgedHeaders)) return encode(decision);
    const known = prepared[outcome].get(subject);
    if (known === undefined || !isOfKind(decision, known.kind)) {
      prepared[outcome].set(subject, { kind: kindOf(decision) });
      return encode(decision);
    }
    if (known.wire !== undefined) return withId(known.wire, decision.id);
    const bytes = encode(decision);
    known.wire = { bytes: Buffer.from(bytes), places: placesOf(decision.id, bytes) };
    return bytes;
  };
}

function isOfOneRequest(decision: Decision, forgedHeaders: readonly string[]): boolean {
  if (decision.outcome === 'deny') return decision.challenge?.nonce !== undefined;
  return decision.singular === true || forgedHeaders.length > 0;
}

function kindOf({ identity, token, policy, reason, challenge }: Decision): Kind {
  return { identity, token, result: policy?.result, revision: policy?.revision, reason, challenge };
}

function isOfKind({ identity, token, policy, reason, challenge }: Decision, kind: Kind): boolean {
  return (
    kind.identity === identity &&
    kind.token === token &&
    kind.result === policy?.result &&
    kind.revision === policy?.revision &&
    kind.reason === reason &&
    kind.challenge?.schemes === challenge?.schemes &&
    kind.challenge?.algorithms === challenge?.algorithms &&
    kind.challenge?.resourceMetadata === challenge?.resourceMetadata
  );
}

function encode(decision: Decision): Buffer {
  return encodeCheckResponse(toCheckResponse(decision));
}

/** A random UUID stands nowhere by chance. */
function placesOf(id: string, bytes: Buffer): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(id, 0, 'latin1'); at !== -1; at = bytes.indexOf(id, at + id.length, 'latin1'))
    places.push(at);
  return places;
}

function withId({ bytes, places }: NonNullable<Prepared['wire']>, id: string): Buffer {
  const answer = Buffer.from(bytes);
  for (const place of places) answer.write(id, place, 'latin1');
  return answer;
}
