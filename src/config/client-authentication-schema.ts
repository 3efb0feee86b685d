import { z } from 'zod';
import { ASYMMETRIC } from './algorithms.js';
import { checkAcross, isMapping, path } from './checks.js';
import type { Fault } from './problem.js';

/** The keys that each method needs, one of a group, and those that it may have besides. */
const KEYS: {
  readonly [method: string]: { readonly needs: readonly string[][]; readonly may: readonly string[] };
} = {
  client_secret_basic: { needs: [['secret', 'secret_file']], may: [] },
  client_secret_post: { needs: [['secret', 'secret_file']], may: [] },
  private_key_jwt: { needs: [['private_key']], may: ['algorithm', 'key_id'] },
  tls_client_auth: { needs: [['certificate'], ['private_key']], may: [] },
  self_signed_tls_client_auth: { needs: [['certificate'], ['private_key']], may: [] },
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
  const known = [...keys.needs.flat(), ...keys.may, 'method'];
  for (const name of Object.keys(value))
    if (!known.includes(name) && OTHERS.has(name))
      yield [[name], { wrong: `is nothing that ${String(method)} uses`, mend: 'leave it out' }];
}

const OTHERS = new Set(Object.values(KEYS).flatMap(({ needs, may }) => [...needs.flat(), ...may]));

/** How this server shows an authorization server who it is (RFC 7591 section 2, RFC 7523, RFC 8705). */
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
  })
  .check(checkAcross(methodFaults))
  .describe('How this server shows the issuer who it is.');
