/** Signature algorithms that a token may be verified with: RFC 7518 section 3.1, RFC 8037, RFC 9864. */
export type Algorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519';

const CURVES: { readonly [alg: string]: string } = {
  ES256: 'P-256',
  ES384: 'P-384',
  ES512: 'P-521',
  EdDSA: 'Ed25519',
  Ed25519: 'Ed25519',
};

/**
 * `EdDSA` is the deprecated name of what RFC 9864 calls `Ed25519`: a token may say either of a key that says
 * either.
 */
export function sameAlgorithm(a: string, b: string): boolean {
  return a === b || (CURVES[a] === 'Ed25519' && CURVES[b] === 'Ed25519');
}

/** Whether a key of this type and curve can have made a signature of this algorithm. */
export function suits(alg: string, kty: string, crv: string | undefined): boolean {
  switch (alg.slice(0, 2)) {
    case 'RS':
    case 'PS':
      return kty === 'RSA';
    case 'ES':
      return kty === 'EC' && crv === CURVES[alg];
    default:
      return kty === 'OKP' && crv !== undefined && crv === CURVES[alg];
  }
}
