import { z } from 'zod';
import { ASYMMETRIC } from './algorithms.js';
import { checkAcross, duration, isMapping, path } from './checks.js';
import type { Fault } from './problem.js';

/** The keys that each method needs, one of a group, and those that it may have besides. */
const KEYS: {
  readonly [method: string]: { readonly needs: readonly string[][]; readonly may: readonly string[] };
} = {
  client_secret_basic: { needs: [['secret', 'secret_file']], may: [] },
  client_secret_post: { needs: [['secret', 'secret_file']], may: [] },
  private_key_jwt: { needs: [['private_key']], may: ['algorithm', 'key_id'] },
  tls_client_auth: { needs: [['certificate', 'workload_api']], may: ['private_key'] },
  self_signed_tls_client_auth: { needs: [['certificate']], may: ['private_key'] },
  spiffe_jwt: { needs: [['workload_api']], may: ['audience', 'assertion_type'] },
};

function* methodFaults(value: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(value)) return;
  const { method = 'client_secret_basic' } = value;
  const keys = typeof method === 'string' && Object.hasOwn(KEYS, method) ? KEYS[method] : undefined;
  if (keys === undefined) return;
  for (const group of keys.needs) {
    const given = group.filter((name) => value[name] !== undefined);
    if (given.length === 0)
      yield [[], { wrong: `lacks what ${String(method)} needs`, mend: `add ${group.join(' or ')}` }];
    if (given.length > 1)
      yield [[given[1]!], { wrong: `is given beside ${given[0]}`, mend: 'leave one of them out' }];
  }
  if (
    keys.may.includes('private_key') &&
    (value.certificate === undefined) !== (value.private_key === undefined)
  )
    yield value.certificate === undefined
      ? [['private_key'], { wrong: 'has no certificate', mend: 'add certificate, or leave private_key out' }]
      : [[], { wrong: 'lacks the key of its certificate', mend: 'add private_key' }];
  const known = [...keys.needs.flat(), ...keys.may, 'method'];
  for (const name of Object.keys(value))
    if (!known.includes(name) && OTHERS.has(name))
      yield [[name], { wrong: `is nothing that ${String(method)} uses`, mend: 'leave it out' }];
}

const OTHERS = new Set(Object.values(KEYS).flatMap(({ needs, may }) => [...needs.flat(), ...may]));

/** How this server shows an authorization server who it is (RFC 7591 section 2, RFC 7523, RFC 8705, draft-ietf-oauth-spiffe-client-auth). */
export const clientAuthenticationSchema = z
  .strictObject({
    method: z
      .enum(Object.keys(KEYS) as [string, ...string[]])
      .default('client_secret_basic')
      .describe('The method, by its name in token_endpoint_auth_methods_supported.'),
    secret: z
      .string()
      .min(1)
      .optional()
      .describe('The client secret; write it as ${NAME}, out of the environment.'),
    secret_file: path('The client secret, in a file that is read anew each time.').optional(),
    private_key: path('The private key (PEM, PKCS #8) of private_key_jwt, or of the certificate.').optional(),
    algorithm: z
      .enum(ASYMMETRIC)
      .optional()
      .describe('What private_key_jwt signs with. RS256 or ES256, as the key has it, unless given.'),
    key_id: z.string().min(1).optional().describe("The kid of private_key_jwt's assertions."),
    certificate: path(
      'The client certificate and its chain (PEM), as an X.509-SVID in a file is. Read anew when it changes.',
    ).optional(),
    workload_api: z
      .literal(true)
      .optional()
      .describe(
        "This server's own SVID out of the Workload API, in place of files: an X.509-SVID for tls_client_auth, a JWT-SVID for spiffe_jwt.",
      ),
    audience: z
      .string()
      .min(1)
      .optional()
      .describe("What spiffe_jwt's JWT-SVID is for. The issuer, unless given."),
    assertion_type: z
      .enum(['jwt-spiffe', 'jwt-bearer'])
      .optional()
      .describe(
        'How spiffe_jwt calls its assertion: jwt-spiffe, or jwt-bearer for a server that knows RFC 7523 alone. jwt-spiffe unless given.',
      ),
  })
  .check(checkAcross(methodFaults))
  .describe('How this server shows the issuer who it is.');

/** `ca` of an authorization server's endpoint. */
export const serverRoots = path(
  "The roots that the endpoint is verified with (PEM), in place of the system's.",
).optional();

/** How much is asked of an authorization server. */
export const serverLimits = {
  timeout: duration('10ms', '30s', '2s', 'How long one request may take.'),
  max_concurrent: z
    .int()
    .min(1)
    .max(1000)
    .default(32)
    .describe('Requests that are out at once; further ones wait.'),
};
