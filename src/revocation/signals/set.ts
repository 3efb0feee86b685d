import { isRefusal } from '../../errors/refusal.js';
import { sameAlgorithm, type Algorithm } from '../../jws/algorithms.js';
import { readJws, type CompactJws, type JsonObject } from '../../jws/compact.js';
import type { KeySet } from '../../jws/key-set.js';
import { isSigned } from '../../jws/signature.js';
import type { ExactJson } from '../../json/exact.js';

/** Who may tell of revocations, and of whose. */
export interface Transmitter {
  /** `iss` of its security event tokens. */
  readonly issuer: string;
  /** What this receiver is called in their `aud`. */
  readonly audience: string;
  readonly algorithms: readonly Algorithm[];
  readonly keys: { current(): KeySet | undefined; demand(): Promise<void> };
  /** The issuers whose subjects it may speak of. */
  readonly issuers: readonly string[];
  /** The trust domains whose workloads it may speak of. */
  readonly trustDomains: readonly string[];
  /** What it has to send as `Authorization: Bearer`, read anew; absent where it need not. */
  readonly secret?: (() => Promise<string>) | undefined;
}

/** RFC 8935 section 2.4. `unavailable` is no fault of the transmitter, which tries again. */
export type SetErrorCode =
  | 'invalid_request'
  | 'invalid_key'
  | 'invalid_issuer'
  | 'invalid_audience'
  | 'authentication_failed'
  | 'access_denied'
  | 'unavailable';

export interface SetFault {
  readonly err: SetErrorCode;
  readonly description: string;
}

/** A security event token (RFC 8417) that was verified. Times are NumericDates. */
export interface SecurityEvents {
  readonly jti: string;
  readonly issuedAt: number;
  /** When it happened (`toe`), where the token says so. */
  readonly happenedAt?: number;
  readonly subject?: JsonObject;
  /** By event type. */
  readonly events: ReadonlyMap<string, JsonObject>;
}

/** Seconds by which a transmitter's clock may be ahead. */
const SKEW = 60;

/** The transmitter that a token claims to come from, and the token taken apart. Nothing of it is verified. */
export function readSet(
  text: string,
  transmitters: ReadonlyMap<string, Transmitter>,
): { readonly jws: CompactJws; readonly transmitter: Transmitter } | SetFault {
  const jws = readJws(text);
  if (isRefusal(jws)) return fault('invalid_request', jws.detail);
  // RFC 8417 section 2.3: what keeps an access token or an ID token from being taken for an event.
  if (jws.type?.toLowerCase().replace(/^application\//, '') !== 'secevent+jwt')
    return fault('invalid_request', 'typ is not secevent+jwt');
  const { iss } = jws.payload;
  const transmitter = typeof iss === 'string' ? transmitters.get(iss) : undefined;
  return transmitter
    ? { jws, transmitter }
    : fault('invalid_issuer', 'iss is no transmitter that is configured');
}

/** @param now milliseconds since the epoch */
export async function verifySet(
  text: string,
  jws: CompactJws,
  transmitter: Transmitter,
  now: number,
): Promise<SecurityEvents | SetFault> {
  const { algorithms, keys, audience } = transmitter;
  const { alg } = jws.header;
  if (!algorithms.some((allowed) => sameAlgorithm(allowed, alg)))
    return fault('invalid_key', `alg is none of ${algorithms.join(', ')}`);
  if (!keys.current()?.knows(jws.keyId)) await keys.demand();
  const set = keys.current();
  if (set === undefined) return fault('unavailable', 'the keys of the transmitter cannot be had just now');
  const candidates = set.candidates(alg, jws.keyId);
  if (candidates.length === 0) return fault('invalid_key', 'no key of the transmitter suits kid and alg');
  if (!candidates.some(({ key }) => isSigned(text, key, alg)))
    return fault('authentication_failed', 'the signature does not match');
  const { aud } = jws.payload;
  if (!(Array.isArray(aud) ? aud : [aud]).includes(audience))
    return fault('invalid_audience', 'aud does not name this receiver');
  return readClaims(jws.payload, now);
}

function readClaims(claims: JsonObject, now: number): SecurityEvents | SetFault {
  const { jti, iat, toe, sub_id: subject, events } = claims;
  // Shared Signals section 4.1.4: an event does not end, and what has an end may be a token of another kind.
  if (claims.exp !== undefined)
    return fault('invalid_request', 'exp does not belong into a security event token');
  if (typeof jti !== 'string' || jti === '')
    return fault('invalid_request', 'jti is missing or not a string');
  if (!isTime(iat)) return fault('invalid_request', 'iat is missing or not a NumericDate');
  if (iat > now / 1000 + SKEW) return fault('invalid_request', 'iat is in the future');
  if (toe !== undefined && !isTime(toe)) return fault('invalid_request', 'toe is not a NumericDate');
  if (subject !== undefined && !isObject(subject)) return fault('invalid_request', 'sub_id is not an object');
  if (!isObject(events)) return fault('invalid_request', 'events is missing or not an object');
  const entries = Object.entries(events);
  if (entries.length === 0) return fault('invalid_request', 'events is empty');
  const told = new Map<string, JsonObject>();
  for (const [type, event] of entries) {
    if (!isObject(event)) return fault('invalid_request', 'an event is not an object');
    told.set(type, event);
  }
  return {
    jti,
    issuedAt: iat,
    ...(toe !== undefined && { happenedAt: toe }),
    ...(subject !== undefined && { subject }),
    events: told,
  };
}

export function isSetFault(outcome: object): outcome is SetFault {
  return 'err' in outcome;
}

export function fault(err: SetErrorCode, description: string): SetFault {
  return { err, description };
}

function isTime(value: ExactJson | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

export function isObject(value: ExactJson | undefined): value is { [name: string]: ExactJson } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
