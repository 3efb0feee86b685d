import * as crypto from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { sameAlgorithm, type Algorithm } from '../jws/algorithms.js';
import { readActors } from './delegation.js';
import type { WorkloadRule } from './workload-rule.js';
import { readCredential, type Credential } from './bearer.js';
import { bindingsOf, readConfirmation, type Bonds } from './binding.js';
import { checkTime, readClaims, type ClaimRules, type Claims } from './claims.js';
import { introspect, issuerOfOpaque, looksLikeJose, type IntrospectionRules } from './introspected.js';
import { readJws, type CompactJws, type JsonObject } from '../jws/compact.js';
import type { KeySet, VerificationKey } from '../jws/key-set.js';
import type { KeySource } from './key-source.js';
import { signingKey } from './signing-key.js';
import type { DpopVerifier } from './dpop.js';
import { checkPresentation } from './presentation.js';
import type {
  BindingRequirement,
  TokenRefusal,
  TokenRequest,
  TokenVerifier,
  VerifiedToken,
} from './types.js';

/** One issuer whose tokens are accepted. */
export interface TrustedIssuer extends ClaimRules {
  readonly algorithms: readonly Algorithm[];
  /** Absent for one that is asked about every token. */
  readonly keys?: KeySource;
  /** How it is asked about tokens that cannot be verified here, or not by signature alone (RFC 7662). */
  readonly introspection?: IntrospectionRules;
  /** Whether a workload, by its SPIFFE ID, may present this issuer's tokens. Anybody may where it is absent. */
  readonly presenters?: (spiffeId: string) => boolean;
  /** Who may present its tokens, by their claims; and by those of the outermost actor, where a token has one. */
  readonly workload?: WorkloadRule;
  readonly actor?: WorkloadRule;
  /** What is asked of its tokens' binding, over what the server asks of all. */
  readonly binding?: BindingRequirement;
}

export interface TokenVerifierOptions {
  readonly issuers: readonly TrustedIssuer[];
  /** A longer token is refused before it is decoded. */
  readonly maxBytes: number;
  /** How many verified tokens are remembered. Default 10,000. */
  readonly cacheSize?: number;
  /** Checks the proofs of tokens that are bound to a key; without it these are refused. */
  readonly dpop?: DpopVerifier;
  /** The most actors that a token may name. Default {@link MOST_ACTORS}. */
  readonly maxActors?: number;
  /** What is asked of every token's binding. Default `optional`. */
  readonly binding?: BindingRequirement;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A token that was verified, and what keeps the verdict alive. */
interface Verdict {
  readonly claims: Claims;
  readonly issuer: TrustedIssuer;
  /** What signed it. Absent where the issuer's word is all there is. */
  readonly signed?: {
    readonly key: VerificationKey;
    /** The set that the key was last seen in. */ keys: KeySet;
  };
  /** Milliseconds since the epoch at which the issuer has to be asked again; Infinity where it was not asked. */
  readonly freshUntil: number;
  /** Made when it is first presented. */
  held?: Held;
}

/** A token with what binds it: the same objects each time, so that others may remember them too. */
interface Held {
  readonly bonds: Bonds;
  readonly token: VerifiedToken;
}

type Refused = TokenRefusal;

/**
 * Verifies access tokens. In this order, and the first that fails gives the code:
 *
 * 1. one `Authorization: Bearer` or `DPoP`, no longer than allowed             (bearer.ts)
 * 2. a compact JWS, strictly read; `iss` of the unverified claims picks the issuer  (jws.ts)
 * 3. `alg` on the issuer's list, `typ` of an access token
 *    (a token of another form goes to the issuer of opaque tokens, and on with 7)
 * 4. a key of this issuer that suits `kid` and `alg`; one not yet known is asked for
 * 5. the signature
 * 6. iss, aud, exp, nbf, iat, lifetime and what RFC 9068 requires              (claims.ts)
 * 7. the issuer's own word, where it is to be asked                           (introspected.ts)
 * 8. the route's audience
 * 9. `cnf` and `act` are ones that can be checked, and the issuer's presenters  (binding.ts, delegation.ts)
 * 10. what binds the token, against the one who presents it                    (presentation.ts, dpop.ts)
 *
 * A verdict on 2 to 7 is remembered under the token's SHA-256. Each time it is used, times, key and staleness
 * are checked again; 8 to 10 are about the request and are never remembered. Refusals are not remembered.
 */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const issuers = new Map(options.issuers.map((issuer) => [issuer.issuer, issuer]));
  const verdicts = new LRUCache<string, Verdict>({ max: options.cacheSize ?? 10_000 });
  const underWay = new Map<string, Promise<Verdict | Refused>>();

  function verifyOnce(id: string, token: string): Verdict | Refused | Promise<Verdict | Refused> {
    const waiting = underWay.get(id);
    if (waiting !== undefined) return waiting;
    const remember = (verdict: Verdict | Refused) => {
      if (!isRefusal(verdict)) verdicts.set(id, verdict);
      return verdict;
    };
    const verdict = verifyAnew(token, issuers, options.now);
    if (!(verdict instanceof Promise)) return remember(verdict);
    const work = verdict.then(remember).finally(() => underWay.delete(id));
    underWay.set(id, work);
    return work;
  }

  return {
    verify(request) {
      const credential = readCredential(request.authorization, options.maxBytes);
      if (isRefusal(credential)) return credential;
      const { token } = credential;
      const id = sha256(token);
      const known = verdicts.get(id);
      if (known !== undefined) {
        const invalid = reconsider(known, request.now);
        if (invalid === undefined) return present(known, request, credential, options);
        verdicts.delete(id);
        if (invalid !== 'anew') return invalid;
      }
      const settle = (verdict: Verdict | Refused) =>
        isRefusal(verdict) ? verdict : present(verdict, request, credential, options);
      const verdict = verifyOnce(id, token);
      return verdict instanceof Promise ? verdict.then(settle) : settle(verdict);
    },
  };
}

/** In one call where Node has it (20.12), at half the cost. */
const sha256: (text: string) => string =
  typeof crypto.hash === 'function'
    ? (text) => crypto.hash('sha256', text, 'base64')
    : (text) => crypto.createHash('sha256').update(text).digest('base64');

/** Why a remembered verdict holds no longer, which may have to be found out anew; undefined when it does. */
function reconsider(
  { issuer, signed, claims, freshUntil }: Verdict,
  now: number,
): Refused | 'anew' | undefined {
  if (signed !== undefined) {
    const keys = issuer.keys?.current();
    if (keys === undefined) return unavailable(issuer);
    if (keys !== signed.keys) {
      // A key that is gone may be back under the same id.
      if (!keys.has(signed.key)) return 'anew';
      signed.keys = keys;
    }
  }
  return checkTime(claims, issuer.clockSkew, now) ?? (now < freshUntil ? undefined : 'anew');
}

/** What is about this request and not about the token. */
function present(
  verdict: Verdict,
  request: TokenRequest,
  credential: Credential,
  { binding, dpop, maxActors }: TokenVerifierOptions,
): VerifiedToken | Refused | Promise<VerifiedToken | Refused> {
  const { claims, issuer } = verdict;
  if (request.audience !== undefined && !claims.audience.includes(request.audience))
    return refuse('token_audience_mismatch', "aud does not name the route's audience");
  const held = verdict.held ?? hold(claims, issuer, maxActors);
  if (isRefusal(held)) return held;
  verdict.held = held;
  const { token, bonds } = held;
  if (issuer.presenters && !(request.presenter !== undefined && issuer.presenters(request.presenter)))
    return {
      ...refuse('token_presenter_refused', `this workload may not present tokens of ${issuer.issuer}`),
      misuse: { token, boundBy: 'presenters', boundTo: issuer.issuer },
    };
  const requirement = request.binding ?? issuer.binding ?? binding ?? 'optional';
  return checkPresentation({ token, bonds, credential, requirement, dpop }, request);
}

function hold(claims: Claims, issuer: TrustedIssuer, maxActors: number | undefined): Held | Refused {
  const confirmation = readConfirmation(claims.claims.cnf);
  if (isRefusal(confirmation)) return confirmation;
  const actors = readActors(claims.claims.act, maxActors);
  if (isRefusal(actors)) return actors;
  const workloads = workloadsOf(claims, actors[0], issuer);
  const bonds = workloads === undefined ? confirmation : { ...confirmation, workloads };
  const bindings = bindingsOf(bonds);
  return { bonds, token: tokenOf(claims, actors, bindings) };
}

/** Who acts now presents the token, and not whom it is about. */
function workloadsOf(
  { claims }: Claims,
  actor: JsonObject | undefined,
  rules: TrustedIssuer,
): readonly string[] | undefined {
  return actor !== undefined && rules.actor ? rules.actor(actor) : rules.workload?.(claims);
}

/** Written out, since a copy by ... that grows afterwards costs more than all the checks before it. */
function tokenOf(
  claims: Claims,
  actors: VerifiedToken['actors'],
  bindings: VerifiedToken['bindings'],
): VerifiedToken {
  const { clientId, actor, issuedAt } = claims;
  const token: { -readonly [name in keyof VerifiedToken]: VerifiedToken[name] } = {
    issuer: claims.issuer,
    subject: claims.subject,
    audience: claims.audience,
    scopes: claims.scopes,
    roles: claims.roles,
    groups: claims.groups,
    claims: claims.claims,
    expiresAt: claims.expiresAt,
    actors,
    binding: bindings[0] ?? 'none',
    bindings,
  };
  if (clientId !== undefined) token.clientId = clientId;
  if (actor !== undefined) token.actor = actor;
  if (issuedAt !== undefined) token.issuedAt = issuedAt;
  return token;
}

function verifyAnew(
  token: string,
  issuers: ReadonlyMap<string, TrustedIssuer>,
  now: () => number,
): Verdict | Refused | Promise<Verdict | Refused> {
  if (!looksLikeJose(token)) {
    const issuer = issuerOfOpaque(token, issuers.values());
    if (issuer !== undefined) return ask(token, {}, issuer, now);
  }
  const jws = readJws(token);
  if (isRefusal(jws)) return jws;
  const { iss } = jws.payload;
  const issuer = typeof iss === 'string' ? issuers.get(iss) : undefined;
  if (issuer === undefined) return refuse('token_issuer_unknown', 'iss is not a configured issuer');
  const { keys } = issuer;
  if (keys === undefined) return ask(token, {}, issuer, now);
  const { alg } = jws.header;
  if (!issuer.algorithms.some((allowed) => sameAlgorithm(allowed, alg)))
    return refuse('token_algorithm_refused', `alg is none of ${issuer.algorithms.join(', ')}`);
  if (!isAccessToken(jws.type, issuer.profile))
    return refuse(
      'token_type_refused',
      `typ is not that of an access token by the profile ${issuer.profile}`,
    );
  if (isJwtSvid(jws))
    return refuse('token_type_refused', 'it says who a workload is, and not what it was granted: a JWT-SVID');
  const verify = () => {
    const verdict = verifySignature(token, jws, issuer, keys, now());
    if (isRefusal(verdict) || issuer.introspection?.tokens !== 'all') return verdict;
    return ask(token, jws.payload, issuer, now, verdict.signed);
  };
  // Only a key that is not here is waited for.
  return keys.current()?.knows(jws.keyId) ? verify() : keys.demand().then(verify);
}

/** The issuer's word for a token, and for one that is signed beside its signature. */
async function ask(
  token: string,
  own: JsonObject,
  issuer: TrustedIssuer,
  now: () => number,
  signed?: Verdict['signed'],
): Promise<Verdict | Refused> {
  const { introspection } = issuer;
  if (introspection === undefined) return unavailable(issuer);
  const said = await introspect(token, own, { ...issuer, introspection }, now);
  return isRefusal(said) ? said : { ...said, issuer, ...(signed && { signed }) };
}

function verifySignature(
  token: string,
  jws: CompactJws,
  issuer: TrustedIssuer,
  source: KeySource,
  now: number,
): Verdict | Refused {
  const keys = source.current();
  if (keys === undefined) return unavailable(issuer);
  const key = signingKey(token, jws, keys);
  if (isRefusal(key)) return key;
  const claims = readClaims(jws.payload, issuer, now);
  return isRefusal(claims) ? claims : { claims, issuer, signed: { key, keys }, freshUntil: Infinity };
}

/**
 * RFC 9068 section 2.1 types access tokens, and RFC 8725 section 3.11 tells kinds of token apart by it. Issuers that do not
 * follow RFC 9068 write `JWT` or nothing; every other type is a token of another kind.
 */
function isAccessToken(type: string | undefined, profile: ClaimRules['profile']): boolean {
  const name = type?.toLowerCase().replace(/^application\//, '');
  if (name === 'at+jwt') return true;
  return profile === 'jwt' && (name === undefined || name === 'jwt');
}

/**
 * A trust domain may be an issuer as well, with the same keys. Its JWT-SVIDs are typed as its access tokens are by the
 * profile `jwt`, and nothing but what they lack tells them apart: nobody was granted anything.
 */
function isJwtSvid({ type, payload }: CompactJws): boolean {
  const { sub, client_id: client, azp, scope, scp } = payload;
  if (type !== undefined && !/^j(wt|ose)$/i.test(type)) return false;
  if (typeof sub !== 'string' || !sub.startsWith('spiffe://')) return false;
  return [client, azp, scope, scp].every((claim) => claim === undefined);
}

function unavailable({ issuer }: TrustedIssuer): Refusal<'token_keys_unavailable'> {
  return refuse('token_keys_unavailable', `no usable keys of ${issuer}`);
}
