import { z } from 'zod';
import { algorithm } from './algorithm-schema.js';
import { bindingSchema } from './binding-schema.js';
import { check, checkAcross, duration, isMapping } from './checks.js';
import { claimMappingSchema } from './claim-mapping-schema.js';
import { introspectionSchema } from './introspection-schema.js';
import { workloadSchema } from './workload-schema.js';
import { DISCOVERY, discoverableFault, jwksFault } from './location.js';
import type { Fault } from './problem.js';
import { workloadIdPattern } from './spiffe-id-schema.js';

/** One entry of `token.issuers`: whose tokens are accepted, and with which keys. */
export const issuerSchema = z
  .strictObject({
    issuer: z.string().min(1).describe("The issuer's identifier, exactly as its tokens write it in iss."),
    audiences: z
      .array(z.string().min(1))
      .min(1)
      .describe('What this mesh is called in aud. A token has to name at least one of them.'),
    jwks: z
      .string()
      .check(check(jwksFault))
      .optional()
      .describe(
        "The issuer's keys: a file (relative to this file's folder), an https URL (http for loopback hosts only), or discovery, which asks the issuer's metadata. An issuer without keys needs introspection.",
      ),
    algorithms: z
      .array(algorithm)
      .min(1)
      .prefault(['RS256', 'ES256'])
      .describe('The signature algorithms that are accepted of this issuer.'),
    profile: z
      .enum(['at+jwt', 'jwt'])
      .default('at+jwt')
      .describe('at+jwt holds tokens to RFC 9068, its typ and its required claims; jwt does not.'),
    accepted_as: z
      .array(z.enum(['access_token', 'user_token']))
      .min(1)
      .default(['access_token'])
      .describe(
        'What its tokens are taken for: access_token in Authorization, user_token in the header of token.user.',
      ),
    claims: claimMappingSchema,
    introspection: introspectionSchema.optional(),
    presenters: z
      .array(workloadIdPattern)
      .min(1)
      .optional()
      .describe(
        "The workloads that may present this issuer's tokens, as SPIFFE IDs: * stands for one segment of the path, ** at its end for one or more. Every known workload may where nothing is written.",
      ),
    workload: workloadSchema
      .optional()
      .describe("The workload that the claims of this issuer's tokens name: no other one may present them."),
    actor: workloadSchema
      .optional()
      .describe(
        'The same of tokens with act, by the claims of the outermost actor: it has to be the workload that presents the token.',
      ),
    binding: bindingSchema
      .optional()
      .describe(
        "What is asked of the binding of this issuer's tokens; where it is left out, what token.binding asks.",
      ),
    max_lifetime: duration('1s', '365d', '1h', 'The most that exp may lie after iat.'),
    clock_skew: duration('0s', '5m', '0s', "Leeway for the token's times."),
    // Timers count in 31 bits of milliseconds, which is 24 days: a longer one would fire at once, and for ever.
    jwks_refresh: duration('100ms', '7d', '5m', 'How often the keys are fetched anew in the background.'),
    jwks_cooldown: duration(
      '100ms',
      '7d',
      '30s',
      'The least time between two fetches that unknown keys cause.',
    ),
    jwks_max_stale: duration('0s', '7d', '1h', 'How long the last good keys are used while fetching fails.'),
  })
  .check(checkAcross(discoveryFaults));

function* discoveryFaults(entry: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(entry)) return;
  const { introspection } = entry;
  if (entry.jwks === undefined && introspection === undefined)
    yield [['jwks'], { wrong: 'is missing', mend: 'add it, or introspection for an issuer without keys' }];
  const asked = isMapping(introspection) && (introspection.endpoint ?? DISCOVERY) === DISCOVERY;
  if (entry.jwks !== DISCOVERY && !asked) return;
  if (typeof entry.issuer !== 'string' || entry.issuer === '') return;
  const fault = discoverableFault(entry.issuer);
  if (fault !== undefined) yield [['issuer'], fault];
}
