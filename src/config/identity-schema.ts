import { z } from 'zod';
import { check, checkAcross, checkTogether, duration, isMapping, matching } from './checks.js';
import type { Fault } from './problem.js';
import { absenceFaults, trustDomainsSchema, workloadApiSchema } from './trust-domain-schema.js';

/** Segments of {@link templateFault}'s template: a placeholder, any one segment, or itself. */
const TEMPLATE = /^(\/(\{namespace\}|\{service_account\}|\*|[A-Za-z0-9._-]+))+$/;
const PLACEHOLDERS = ['{namespace}', '{service_account}'];

function templateFault(template: string): Fault | undefined {
  const once = PLACEHOLDERS.every((name) => template.split(name).length === 2);
  if (TEMPLATE.test(template) && once) return undefined;
  return {
    wrong: 'is not a template of a path',
    mend: 'write whole segments, with {namespace} and {service_account} once each and * for any one, as in /ns/{namespace}/sa/{service_account}',
  };
}

const HOP = /^(unauthenticated|spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+)$/;

const xfcc = z
  .strictObject({
    trusted_hops: z
      .int()
      .min(1)
      .max(16)
      .default(1)
      .describe(
        "How many trusted proxies append an element to x-forwarded-client-cert, the Envoy that asks among them where it does. The client's element is so many from the end; what stands before it is ignored.",
      ),
    format: z
      .enum(['text', 'json', 'auto'])
      .default('auto')
      .describe('The form of the header that is accepted; auto takes both.'),
    from: z
      .array(
        matching(HOP, {
          wrong: 'is neither the SPIFFE ID of a workload nor unauthenticated',
          mend: 'write an ID such as spiffe://example.org/ns/edge/sa/gateway',
        }),
      )
      .min(1)
      .describe(
        'Whose word the header is: the SPIFFE IDs of all these proxies. unauthenticated stands for a peer that shows Envoy no certificate.',
      ),
  })
  .describe('Whose x-forwarded-client-cert is believed. Only with source: xfcc.');

/** Each source but that of certificates has a section of its own, and only its own. */
function* sectionsOf(identity: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(identity)) return;
  const source = identity.source ?? 'certificate';
  for (const name of SECTIONS) {
    const given = identity[name] !== undefined;
    if (given && source !== name && typeof source === 'string') {
      yield [
        [name],
        { wrong: `says nothing, while source is ${source}`, mend: `leave it out, or set source to ${name}` },
      ];
    } else if (!given && source === name) {
      yield [[name], { wrong: `is missing, while source is ${name}`, mend: MISSING[name] }];
    }
  }
}

const SECTIONS = ['xfcc', 'jwt_svid', 'wimse'] as const;
const MISSING = {
  xfcc: 'add it, with the SPIFFE IDs of the proxies that the header may come from',
  jwt_svid: 'add it, with the audiences that this mesh goes by',
  wimse: 'add it, with the audiences that this mesh goes by',
};

const audiences = (description: string) => z.array(z.string().min(1)).min(1).describe(description);

const jwtSvid = z
  .strictObject({
    header: matching(/^[a-z0-9]+(-[a-z0-9]+)*$/, {
      wrong: 'is not the name of a header',
      mend: 'write it in small letters, such as x-spiffe-jwt-svid',
    })
      .default('x-spiffe-jwt-svid')
      .describe(
        'The header that holds the JWT-SVID. authorization holds it as a Bearer token, and then there can be no access token.',
      ),
    audiences: audiences('What this mesh is called in aud. A JWT-SVID has to name at least one of these.'),
  })
  .describe('Which JWT-SVIDs are taken, and where they are. Only with source: jwt_svid.');

const wimse = z
  .strictObject({
    audiences: audiences(
      "What aud of a proof may be: such a value itself, or the request's URI where the value is its origin, as in https://orders.example.org.",
    ),
    max_proof_lifetime: duration('1s', '1h', '5m', 'The most that exp of a proof may be away.'),
  })
  .describe('Which Workload-Proof-Tokens are taken. Only with source: wimse.');

const kubernetes = z
  .strictObject({
    path_template: z
      .string()
      .check(check(templateFault, true))
      .default('/ns/{namespace}/sa/{service_account}')
      .describe(
        "How the path of a workload's SPIFFE ID tells its namespace and service account. The whole path has to match, segment by segment; * takes any one.",
      ),
  })
  .prefault({})
  .describe("What policies see of Kubernetes in a workload's SPIFFE ID.");

/** `identity`: which workloads are known, and where their certificates are read. */
export const identitySchema = z
  .strictObject({
    source: z
      .enum(['certificate', 'xfcc', 'jwt_svid', 'wimse'])
      .default('certificate')
      .describe(
        "How a workload shows who it is: certificate is what Envoy itself saw in mTLS; xfcc is the client's element of x-forwarded-client-cert, for a proxy in front of Envoy that ends mTLS; jwt_svid is a JWT-SVID in a header, and wimse a Workload-Identity-Token with its proof, where there is no mTLS to Envoy.",
      ),
    trust_domains: trustDomainsSchema,
    workload_api: workloadApiSchema,
    kubernetes,
    xfcc: xfcc.optional(),
    jwt_svid: jwtSvid.optional(),
    wimse: wimse.optional(),
    max_stale: duration(
      '0s',
      '365d',
      '1d',
      "How long a trust domain's last good bundle serves while its source fails. Then its workloads are refused.",
    ),
  })
  .check(checkAcross(sectionsOf))
  .check(checkTogether(absenceFaults))
  .describe('Who the workload is: SPIFFE.');
