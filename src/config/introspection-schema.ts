import { z } from 'zod';
import { check, duration, matching } from './checks.js';
import { clientAuthenticationSchema, serverLimits, serverRoots } from './client-authentication-schema.js';
import { DISCOVERY, endpointFault } from './location.js';

/** `token.issuers[].introspection`: asking the issuer about its tokens (RFC 7662). */
export const introspectionSchema = z
  .strictObject({
    endpoint: z
      .string()
      .check(check(endpointFault))
      .default(DISCOVERY)
      .describe(
        'Where the issuer is asked: an https URL (http for loopback hosts only), or discovery, which takes introspection_endpoint of its metadata.',
      ),
    tokens: z
      .enum(['opaque', 'all'])
      .default('opaque')
      .describe(
        'Which tokens it is asked about: those that are no JWT, or all, JWTs after their signature was verified.',
      ),
    prefix: matching(/^[A-Za-z0-9\-._~+/]{1,64}$/, {
      wrong: 'is nothing that a token can begin with',
      mend: 'write 1 to 64 of A-Z, a-z, 0-9, - . _ ~ + /',
    })
      .optional()
      .describe("What this issuer's opaque tokens begin with. Only one issuer can do without."),
    assume_audience: z
      .string()
      .min(1)
      .optional()
      .describe('The audience of tokens whose answer names none. They are refused where nothing is written.'),
    client_id: z.string().min(1).describe('What this server is called at the issuer.'),
    client_authentication: clientAuthenticationSchema,
    ca: serverRoots,
    cache: duration('0s', '1h', '10s', 'How long an answer counts at most; never beyond exp.'),
    negative_cache: duration('0s', '1m', '2s', 'How long an answer counts that says no.'),
    ...serverLimits,
  })
  .describe('How the issuer is asked about tokens (RFC 7662). It is not asked where nothing is written.');
