import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { sameAlgorithm, type Algorithm } from '../jws/algorithms.js';
import { readJws, type CompactJws } from '../jws/compact.js';
import type { KeySet, VerificationKey } from '../jws/key-set.js';
import { checkTime } from './claims.js';
import type { KeySource } from './key-source.js';
import { signingKey } from './signing-key.js';
import { readTransactionClaims, type Transaction } from './transaction-claims.js';

export type TransactionCode =
  | 'transaction_token_missing'
  | 'transaction_token_duplicate'
  | 'transaction_token_invalid'
  | 'transaction_token_expired'
  | 'transaction_token_unavailable';

/** A transaction token service. */
export interface TransactionIssuer {
  readonly issuer: string;
  readonly keys: KeySource;
  readonly algorithms: readonly Algorithm[];
  /** The most that `exp` may lie after `iat`, in milliseconds. */
  readonly maxLifetime: number;
  /** Leeway for the token's times, in milliseconds. */
  readonly clockSkew: number;
}

export interface TransactionOptions {
  readonly issuers: readonly TransactionIssuer[];
  /** What `aud` has to be. */
  readonly trustDomain: string;
  /** A longer token is refused before it is decoded. */
  readonly maxBytes: number;
  /** How many verified tokens are remembered. Default 10,000. */
  readonly cacheSize?: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

type Refused = Refusal<TransactionCode>;

export interface TransactionVerifier {
  /**
   * Undefined where none came. Never throws or rejects; a promise means that keys had to be fetched.
   *
   * @param lines every value of the `Txn-Token` header that arrived
   * @param now milliseconds since the epoch
   */
  verify(
    lines: readonly string[],
    now: number,
  ): Transaction | undefined | Refused | Promise<Transaction | Refused>;
}

interface Verdict {
  readonly transaction: Transaction;
  readonly issuer: TransactionIssuer;
  readonly key: VerificationKey;
  keys: KeySet;
}

/**
 * Verifies transaction tokens (draft-ietf-oauth-transaction-tokens-10): what a request from outside was about, handed on
 * from workload to workload. It is never a credential: it says nothing of who presents it.
 */
export function createTransactionVerifier(options: TransactionOptions): TransactionVerifier {
  const issuers = new Map(options.issuers.map((issuer) => [issuer.issuer, issuer]));
  const verdicts = new LRUCache<string, Verdict>({ max: options.cacheSize ?? 10_000 });

  return {
    verify(lines, now) {
      if (lines.length === 0) return undefined;
      const token = lines[0]!;
      // Envoy joins two headers of one name with a comma, which no JWS holds.
      if (lines.length > 1 || token.includes(','))
        return refuse('transaction_token_duplicate', 'more than one Txn-Token header');
      if (token.length > options.maxBytes) return invalid(`longer than ${options.maxBytes} bytes`);
      const id = createHash('sha256').update(token).digest('base64');
      const known = verdicts.get(id);
      if (known !== undefined && stillHolds(known)) return timely(known, now);
      verdicts.delete(id);
      const settle = (verdict: Verdict | Refused) => {
        if (isRefusal(verdict)) return verdict;
        verdicts.set(id, verdict);
        return timely(verdict, now);
      };
      const verdict = verifyAnew(token, issuers, options);
      return verdict instanceof Promise ? verdict.then(settle) : settle(verdict);
    },
  };
}

/** Whether the key that vouched for it is still one of the issuer's. */
function stillHolds(verdict: Verdict): boolean {
  const keys = verdict.issuer.keys.current();
  if (keys === undefined || (keys !== verdict.keys && !keys.has(verdict.key))) return false;
  verdict.keys = keys;
  return true;
}

/** The same object each time, so that others may remember it too. */
function timely({ transaction, issuer }: Verdict, now: number): Transaction | Refused {
  const { nbf } = transaction.claims;
  const times = { expiresAt: transaction.expiresAt, ...(typeof nbf === 'number' && { notBefore: nbf }) };
  const untimely = checkTime(times, issuer.clockSkew, now);
  if (untimely?.code === 'token_expired') return refuse('transaction_token_expired', untimely.detail);
  if (untimely) return invalid(untimely.detail);
  if (transaction.issuedAt * 1000 > now + issuer.clockSkew) return invalid('iat is in the future');
  return transaction;
}

function verifyAnew(
  token: string,
  issuers: ReadonlyMap<string, TransactionIssuer>,
  { trustDomain }: TransactionOptions,
): Verdict | Refused | Promise<Verdict | Refused> {
  const jws = readJws(token);
  if (isRefusal(jws)) return invalid(jws.detail);
  if (jws.type?.toLowerCase().replace(/^application\//, '') !== 'txntoken+jwt')
    return invalid('typ is not txntoken+jwt');
  const issuer = issuerOf(jws, issuers);
  if (issuer === undefined) return invalid('iss is not a configured issuer of transaction tokens');
  if (!issuer.algorithms.some((allowed) => sameAlgorithm(allowed, jws.header.alg)))
    return invalid(`alg is none of ${issuer.algorithms.join(', ')}`);
  const verify = () => verifySignature(token, jws, issuer, trustDomain);
  return issuer.keys.current()?.knows(jws.keyId) ? verify() : issuer.keys.demand().then(verify);
}

/** `iss` may be left out where a trust domain has but one service. */
function issuerOf({ payload: { iss } }: CompactJws, issuers: ReadonlyMap<string, TransactionIssuer>) {
  if (iss === undefined && issuers.size === 1) return [...issuers.values()][0];
  return typeof iss === 'string' ? issuers.get(iss) : undefined;
}

function verifySignature(
  token: string,
  jws: CompactJws,
  issuer: TransactionIssuer,
  trustDomain: string,
): Verdict | Refused {
  const keys = issuer.keys.current();
  if (keys === undefined)
    return refuse('transaction_token_unavailable', `no usable keys of ${issuer.issuer}`);
  const key = signingKey(token, jws, keys);
  if (isRefusal(key)) return invalid(key.detail);
  const transaction = readTransactionClaims(jws.payload, issuer.issuer, trustDomain);
  if (typeof transaction === 'string') return invalid(transaction);
  if ((transaction.expiresAt - transaction.issuedAt) * 1000 > issuer.maxLifetime)
    return invalid(`exp is more than ${issuer.maxLifetime / 1000} s after iat`);
  return { transaction, issuer, key, keys };
}

function invalid(detail: string): Refusal<'transaction_token_invalid'> {
  return refuse('transaction_token_invalid', detail);
}
