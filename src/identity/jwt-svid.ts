import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { ExactJson } from '../json/exact.js';
import { readJws, type CompactJws } from '../jws/compact.js';
import type { VerificationKey } from '../jws/key-set.js';
import { isSigned } from '../jws/signature.js';
import { createVerifiedCache, type VerifiedWorkload } from './certificate-verifier.js';
import type { PathTemplate } from './path-template.js';
import { parseWorkloadId } from './spiffe-id.js';
import type { TrustBundle, TrustBundles } from './trust-bundle.js';
import type { IdentityVerifier, JwtSvidCode } from './types.js';
import { describeWorkload } from './workload.js';

/** How JWT-SVIDs reach us, and who we are to them. */
export interface JwtSvidOptions {
  /** Lower-case name of the header. `authorization` holds it as a Bearer token; any other holds nothing else. */
  readonly header: string;
  /** What this mesh is called in `aud`; a JWT-SVID has to name at least one. */
  readonly audiences: readonly string[];
}

interface Context extends JwtSvidOptions {
  readonly bundles: () => TrustBundles;
  readonly template: PathTemplate;
  readonly cacheSize: number;
}

/** JWT-SVID section 2.1: no HMAC, and nothing else that RFC 7518 section 3.1 does not have. */
const ALGORITHMS: readonly string[] = ['RS', 'PS', 'ES'].flatMap((kind) =>
  ['256', '384', '512'].map((size) => kind + size),
);

/** A longer one is refused before it is decoded. */
const MAX_LENGTH = 8192;

/**
 * The stage where there is no mTLS to Envoy: the workload shows a JWT-SVID in a header. It is a bearer token: whoever
 * has it is that workload, to every one of its audiences. Verified ones are remembered as certificates are.
 */
export function createJwtSvidVerifier(context: Context): IdentityVerifier {
  const verified = createVerifiedCache<JwtSvidCode>(context.cacheSize);
  return {
    verify({ header }, now) {
      const token = readHeader(header(context.header), context.header);
      if (isRefusal(token)) return token;
      const bundles = context.bundles();
      const workload = verified(token, bundles, now, () =>
        verifyJwtSvid(token, { ...context, bundles, now }),
      );
      return isRefusal(workload) ? workload : workload.identity;
    },
  };
}

function readHeader(lines: readonly string[], name: string): string | Refusal<JwtSvidCode> {
  const [line, ...others] = lines;
  if (line === undefined) return refuse('jwt_svid_missing', `the request has no ${name}`);
  // No part of it may hold a comma, which is what joins two headers into one.
  if (others.length > 0 || line.includes(',')) return invalid(`more than one ${name}`);
  if (line.length > MAX_LENGTH) return invalid(`longer than ${MAX_LENGTH} bytes`);
  if (name !== 'authorization') return line;
  const token = /^bearer +([^ ]+)$/i.exec(line)?.[1];
  return token ?? refuse('jwt_svid_missing', 'an authorization header of another scheme than Bearer');
}

/** Verifies one (JWT-SVID sections 2, 3 and 5) with the keys of the trust domain that its `sub` names. */
export function verifyJwtSvid(
  token: string,
  { bundles, audiences, template, now }: Omit<Context, 'bundles' | 'header' | 'cacheSize'> & Against,
): VerifiedWorkload | Refusal<JwtSvidCode> {
  const jws = readJws(token);
  if (isRefusal(jws)) return invalid(jws.detail);
  const { header, payload, type } = jws;
  if (!ALGORITHMS.includes(header.alg)) return invalid('alg is none of RS, PS and ES with 256, 384 or 512');
  if (type !== undefined && type !== 'JWT' && type !== 'JOSE') return invalid('typ is neither JWT nor JOSE');
  const { sub, exp, nbf, aud } = payload;
  if (typeof sub !== 'string') return invalid('sub is missing or not a string');
  if (!isNumericDate(exp)) return invalid('exp is missing or not a NumericDate');
  if (nbf !== undefined && !isNumericDate(nbf)) return invalid('nbf is not a NumericDate');
  const audience = strings(aud);
  if (audience === undefined) return invalid('aud is missing, or neither a string nor a list of them');
  const id = parseWorkloadId(sub);
  if (isRefusal(id)) return id;
  const key = findSigner(token, jws, bundles.find(id.trustDomain), 'jwt_svid_untrusted');
  if (isRefusal(key)) return key;
  if (!audience.some((name) => audiences.includes(name)))
    return refuse('jwt_svid_audience_mismatch', 'aud names none of the configured audiences');
  const notAfter = exp * 1000;
  if (now >= notAfter) return refuse('jwt_svid_expired', 'exp has passed');
  const notBefore = nbf === undefined ? -Infinity : nbf * 1000;
  if (now < notBefore) return refuse('jwt_svid_expired', 'nbf is in the future');
  const identity = { ...describeWorkload(id, template), source: 'jwt_svid' as const, notAfter };
  // RFC 7519 section 4.1.4: at exp itself it is expired, where a certificate is still valid at notAfter.
  return { identity, notBefore, notAfter: notAfter - 1 };
}

interface Against {
  readonly bundles: TrustBundles;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * The JWT authority of the bundle that signed it: those for X.509 never do.
 *
 * @param untrusted the code for a signature of nobody in the bundle
 */
export function findSigner<Code extends string>(
  token: string,
  { header, keyId }: CompactJws,
  bundle: TrustBundle | Refusal<'trust_domain_unknown' | 'trust_bundle_unavailable'>,
  untrusted: Code,
): VerificationKey | Refusal<Code | 'trust_domain_unknown' | 'trust_bundle_unavailable'> {
  if (isRefusal(bundle)) return bundle;
  const { jwtAuthorities, trustDomain } = bundle;
  if (jwtAuthorities.keys.length === 0)
    return refuse('trust_bundle_unavailable', `the bundle of ${trustDomain} holds no JWT authority`);
  const candidates = jwtAuthorities.candidates(header.alg, keyId);
  if (candidates.length === 0) return refuse(untrusted, `no key of ${trustDomain} suits kid and alg`);
  const key = candidates.find((candidate) => isSigned(token, candidate.key, header.alg));
  return key ?? refuse(untrusted, `the signature is not of ${trustDomain}`);
}

export function isNumericDate(value: ExactJson | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** `aud` (RFC 7519 section 4.1.3); undefined for anything else. */
export function strings(value: ExactJson | undefined): readonly string[] | undefined {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) return undefined;
  return value.every((item) => typeof item === 'string') ? (value as string[]) : undefined;
}

function invalid(what: string): Refusal<'jwt_svid_invalid'> {
  return refuse('jwt_svid_invalid', `not a JWT-SVID: ${what}`);
}
