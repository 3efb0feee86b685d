import { z } from 'zod';
import { check, checkAcross, duration, isMapping, matching } from './checks.js';
import { clientAuthenticationSchema, serverLimits, serverRoots } from './client-authentication-schema.js';
import { DISCOVERY, discoverableFault, endpointFault } from './location.js';
import type { Fault } from './problem.js';

const serverName = matching(/^[a-z0-9][a-z0-9_-]{0,62}$/, {
  wrong: 'is no name of a server',
  mend: 'write 1 to 63 of a-z, 0-9, - and _',
});

/** RFC 6749 section 3.3. */
const scope = matching(/^[\x21\x23-\x5b\x5d-\x7e]+$/, {
  wrong: 'is no scope',
  mend: 'write one scope, without spaces and quotes',
});

/** None that means something else to whoever forwards or reads a request. */
const TOKEN_HEADER =
  /^(?!(?:connection|content-.*|cookie|dpop|expect|forwarded|host|keep-alive|proxy-connection|te|trailer|transfer-encoding|txn-token|upgrade|x-countersign-.*|x-envoy-.*|x-forwarded-.*)$)[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;

const server = z
  .strictObject({
    issuer: z.string().min(1).describe("The authorization server's issuer identifier."),
    token_endpoint: z
      .string()
      .check(check(endpointFault))
      .default(DISCOVERY)
      .describe(
        'Where tokens are asked for: an https URL (http for loopback hosts only), or discovery, which takes token_endpoint of its metadata.',
      ),
    grant: z
      .enum(['token_exchange', 'client_credentials', 'jwt_bearer'])
      .describe(
        "What is shown for a token: the caller's access token (RFC 8693), nothing but who this server is (RFC 6749 section 4.4), or a JWT-SVID (RFC 7523).",
      ),
    assertion: z
      .enum(['own', 'callers'])
      .optional()
      .describe(
        "Whose JWT-SVID jwt_bearer shows: this server's own, out of the Workload API, or the caller's, where identity.source is jwt_svid. own unless given.",
      ),
    subject_token_type: z
      .enum(['access_token', 'jwt'])
      .optional()
      .describe(
        "What token_exchange calls the caller's token (RFC 8693 section 3). access_token unless given.",
      ),
    audiences: z
      .array(z.string().min(1))
      .min(1)
      .describe('The audiences that policies may ask for, and no others.'),
    audience_parameter: z
      .enum(['resource', 'audience'])
      .default('resource')
      .describe(
        'How the server is told the audience: resource (RFC 8707, an absolute URI), or audience (RFC 8693).',
      ),
    scopes: z.array(scope).default([]).describe('The scopes that policies may ask for, and no others.'),
    header: matching(TOKEN_HEADER, {
      wrong: 'is no name of a header for a token',
      mend: 'write it in small letters, as in authorization; none that HTTP, Envoy or Countersign use themselves',
    })
      .default('authorization')
      .describe("The header that the upstream gets the token in, in place of the client's own of that name."),
    client_id: z.string().min(1).describe('What this server is called there.'),
    client_authentication: clientAuthenticationSchema,
    ca: serverRoots,
    max_lifetime: duration('1s', '24h', '1h', 'How long a token is used at most, whatever its server says.'),
    min_remaining: duration('0s', '1h', '10s', 'A token that lives for less is replaced before it is used.'),
    ...serverLimits,
  })
  .check(checkAcross(serverFaults));

/** `broker`: tokens for upstreams, which policies ask for. */
export const brokerSchema = z
  .strictObject({
    servers: z.record(serverName, server).describe('The servers that tokens are obtained from, by name.'),
    cache_size: z.int().min(1).max(1_000_000).default(10_000).describe('Tokens that are kept at once.'),
  })
  .describe(
    'Tokens that a policy has this server obtain for the upstream. None are where nothing is written.',
  );

function* serverFaults(entry: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(entry)) return;
  const { grant, issuer, token_endpoint: endpoint = DISCOVERY } = entry;
  const only = (key: string, needed: string): [PropertyKey[], Fault] => [
    [key],
    { wrong: `is nothing that ${String(grant)} uses`, mend: `leave it out, or set grant to ${needed}` },
  ];
  if (entry.assertion !== undefined && grant !== 'jwt_bearer') yield only('assertion', 'jwt_bearer');
  if (entry.subject_token_type !== undefined && grant !== 'token_exchange')
    yield only('subject_token_type', 'token_exchange');
  if ((entry.audience_parameter ?? 'resource') === 'resource' && Array.isArray(entry.audiences))
    for (const [index, audience] of entry.audiences.entries())
      if (typeof audience === 'string' && audience !== '' && !isAbsoluteUri(audience))
        yield [
          ['audiences', index],
          {
            wrong: 'is no absolute URI, as a resource is (RFC 8707)',
            mend: 'write one, or set audience_parameter to audience',
          },
        ];
  if (endpoint !== DISCOVERY || typeof issuer !== 'string' || issuer === '') return;
  const fault = discoverableFault(issuer);
  if (fault !== undefined)
    yield [
      ['issuer'],
      { ...fault, mend: fault.mend.replace('give jwks a file or a URL', 'give token_endpoint') },
    ];
}

function isAbsoluteUri(text: string): boolean {
  return URL.canParse(text) && !text.includes('#');
}

/** What a server needs of other sections. */
export function* brokerFaults(config: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(config) || !isMapping(config.broker) || !isMapping(config.broker.servers)) return;
  for (const [name, entry] of Object.entries(config.broker.servers)) {
    if (!isMapping(entry)) continue;
    const at = ['broker', 'servers', name];
    const off = isMapping(config.token) && config.token.mode === 'off';
    if (entry.grant === 'token_exchange' && off)
      yield [
        [...at, 'grant'],
        {
          wrong: 'exchanges access tokens, while token.mode is off',
          mend: 'set token.mode, or use client_credentials',
        },
      ];
    const source = isMapping(config.identity) ? config.identity.source : undefined;
    if (entry.assertion === 'callers' && source !== 'jwt_svid')
      yield [
        [...at, 'assertion'],
        {
          wrong: "is the caller's JWT-SVID, while identity.source is not jwt_svid",
          mend: 'write own, or set identity.source to jwt_svid',
        },
      ];
  }
}
