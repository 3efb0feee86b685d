import { z } from 'zod';
import { check, duration, path } from './checks.js';
import type { Fault } from './problem.js';
import { algorithm } from './algorithm-schema.js';

/** A base URL in front of a request's path: no slash at its end, no query. */
function originFault(text: string): Fault | undefined {
  if (/^https?:\/\/[^/?#@\s]+(?:\/[^?#\s]*[^/?#\s])?$/i.test(text) && URL.canParse(text)) return undefined;
  return {
    wrong: 'is not the base of a URL',
    mend: 'write it as clients do, without a slash at the end: https://orders.example.org',
  };
}

/** `token.dpop`: how proofs of possession are checked. */
export const dpopSchema = z
  .strictObject({
    algorithms: z
      .array(algorithm)
      .min(1)
      .prefault(['ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512', 'Ed25519'])
      .describe('The signature algorithms that proofs may have.'),
    max_age: duration('1s', '10m', '1m', "The most that a proof's iat may lie back."),
    clock_skew: duration('0s', '1m', '5s', "How far a client's clock may be off."),
    nonce: z
      .enum(['auto', 'always'])
      .default('auto')
      .describe(
        'When a proof has to hold a nonce of the server. auto: when it can have been used before this server started. always: in each.',
      ),
    nonce_lifetime: duration('10s', '1h', '5m', 'How long a nonce may be used.'),
    nonce_secret: path(
      "A file with at least 32 random bytes as text, the same for all replicas, so that they take each other's nonces. Without it each start makes its own.",
    ).optional(),
    origins: z
      .record(z.string().min(1), z.string().check(check(originFault, true)))
      .optional()
      .describe(
        "What clients call the hosts of this mesh: a base URL by the :authority that Envoy sees. Where there are any, proofs for other hosts are refused. Otherwise the request's own scheme and host count.",
      ),
  })
  .prefault({})
  .describe('How DPoP proofs (RFC 9449) are checked.');
