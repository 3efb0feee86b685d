/** Asymmetric signature algorithms: RFC 7518 section 3.1, RFC 8037. */
export const ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

/** Those that a token may be verified with; `Ed25519` is RFC 9864's name for what `EdDSA` stands for. */
export const ALGORITHMS = [...ASYMMETRIC, 'Ed25519'] as const;

/** Those of OPA's bundle signatures. */
export const BUNDLE_ALGORITHMS = [...ASYMMETRIC, 'HS256', 'HS384', 'HS512'] as const;
