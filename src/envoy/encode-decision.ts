import { LRUCache } from 'lru-cache';
import type { Decision, PolicyEvidence } from '../decision/decision.js';
import { encodeCheckResponse } from './encode-response.js';
import { toCheckResponse } from './response.js';

/** Answers that are kept, of about 1 KiB each. */
const MOST = 1_000;

/** An answer that may be given again, and what it depends on besides the token (or the identity without one). */
interface Prepared {
  readonly identity: NonNullable<Decision['identity']>;
  readonly result: NonNullable<PolicyEvidence['result']>;
  readonly revision: string;
  /** Its bytes, and where in them the decision's id stands. Undefined until it has been given twice. */
  wire?: { readonly bytes: Buffer; readonly places: readonly number[] } | undefined;
}

/**
 * Makes the function that writes a decision as a CheckResponse.
 *
 * What lets a request through says who asks, what the policy said and which decision it was. So for the same identity,
 * token and result only the id is another one: such answers are written once and then copied, with the id put in. The
 * stages hand out the same objects for the same certificate, token and result, which makes that a look-up.
 *
 * Not so where the client sent headers of ours, since the answer removes each by its name, and where the answer holds
 * something else that is this request's own.
 */
export function createDecisionEncoder(): (decision: Decision, forgedHeaders: readonly string[]) => Buffer {
  const prepared = new LRUCache<object, Prepared>({ max: MOST });

  return (decision, forgedHeaders) => {
    const { outcome, identity, token, policy, singular } = decision;
    if (outcome !== 'allow' || singular || forgedHeaders.length > 0 || !identity || !policy?.result)
      return encode(decision);
    const { result, revision } = policy;
    const subject = token ?? identity;
    const known = prepared.get(subject);
    if (known?.identity !== identity || known.result !== result || known.revision !== revision) {
      prepared.set(subject, { identity, result, revision });
      return encode(decision);
    }
    if (known.wire !== undefined) return withId(known.wire, decision.id);
    const bytes = encode(decision);
    known.wire = { bytes: Buffer.from(bytes), places: placesOf(decision.id, bytes) };
    return bytes;
  };
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
