import { z } from 'zod';
import { check, matching, path } from './checks.js';

const trustDomainName = matching(/^[a-z0-9._-]{1,255}$/, {
  wrong: 'is not the name of a trust domain',
  mend: 'write 1 to 255 of a-z, 0-9, dot, hyphen and underscore, without spiffe://',
});

/** `identity`: which workloads are known, and where their certificates are read. */
export const identitySchema = z
  .strictObject({
    source: z
      .enum(['certificate', 'xfcc'])
      .default('certificate')
      .describe(
        "Where the workload's certificate is read: certificate is what Envoy itself saw in mTLS; xfcc is the last element of x-forwarded-client-cert, for a hop in front of Envoy that ends mTLS.",
      ),
    trust_domains: z
      .record(
        trustDomainName,
        z.strictObject({
          bundle: path('The roots of the trust domain: PEM certificates, or a SPIFFE bundle (JSON).'),
        }),
      )
      .check(
        check((domains) => {
          if (Object.keys(domains).length > 0) return undefined;
          return { wrong: 'names no trust domain', mend: 'add one, with the bundle that holds its roots' };
        }),
      )
      .meta({ minProperties: 1 })
      .describe(
        'The trust domains whose workloads are known, by name. A workload of any other one is refused.',
      ),
  })
  .describe('Who the workload is: SPIFFE.');
