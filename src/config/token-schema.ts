import { z } from 'zod';
import { bindingSchema } from './binding-schema.js';
import { check, checkAcross, isMapping } from './checks.js';
import { dpopSchema } from './dpop-schema.js';
import { issuerSchema } from './issuer-schema.js';
import { transactionSchema } from './transaction-schema.js';
import type { Fault } from './problem.js';
import { isAcceptedAs, userTokenFaults, userTokenSchema } from './user-token-schema.js';

function* repeatedIssuers(issuers: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!Array.isArray(issuers)) return;
  const names: unknown[] = issuers.map((entry) => (isMapping(entry) ? entry.issuer : undefined));
  for (const [i, name] of names.entries()) {
    const first = names.indexOf(name);
    if (typeof name !== 'string' || name === '' || first === i) continue;
    yield [
      [i, 'issuer'],
      { wrong: `is the issuer of issuers[${first}] again`, mend: 'make the two one entry' },
    ];
  }
}

/** An opaque token says nothing of its issuer: no other than the right one may be shown it. */
function* ambiguousOpaque(issuers: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!Array.isArray(issuers)) return;
  const prefixes = issuers.map((entry): unknown =>
    isMapping(entry) && isMapping(entry.introspection) ? (entry.introspection.prefix ?? '') : undefined,
  );
  for (const [i, prefix] of prefixes.entries()) {
    if (typeof prefix !== 'string') continue;
    const first = prefixes.findIndex(
      (other, j) => j < i && typeof other === 'string' && overlap(prefix, other),
    );
    if (first < 0) continue;
    yield [
      [i, 'introspection'],
      {
        wrong: `cannot be told from that of issuers[${first}] by what opaque tokens begin with`,
        mend: 'give each a prefix of its own; only one may have none',
      },
    ];
  }
}

function overlap(a: string, b: string): boolean {
  return a === '' || b === '' ? a === b : a.startsWith(b) || b.startsWith(a);
}

function* missingIssuers(token: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(token) || !Array.isArray(token.issuers)) return;
  if (token.issuers.some((entry) => isAcceptedAs(entry, 'access_token'))) return;
  if (token.mode !== 'required' && token.mode !== 'optional') return;
  yield [
    ['issuers'],
    { wrong: 'names no issuer, while mode is not off', mend: 'add an issuer, or set mode to off' },
  ];
}

function metadataFault(text: string): Fault | undefined {
  // It stands between the quotes of a challenge as it is.
  if (/^https?:\/\/[\x21\x23-\x5b\x5d-\x7e]+$/.test(text) && URL.canParse(text)) return undefined;
  return { wrong: 'is no URL', mend: 'write an https:// URL, percent-encoded' };
}

/** `token`: whose access tokens are accepted, and how they are verified. */
export const tokenSchema = z
  .strictObject({
    mode: z
      .enum(['required', 'optional', 'off'])
      .default('required')
      .describe(
        'Whether a request needs an access token. optional verifies one that comes; off never looks.',
      ),
    max_bytes: z
      .int()
      .min(1)
      .max(1_048_576)
      .default(8192)
      .describe('A longer token is refused before it is decoded. Bytes.'),
    binding: bindingSchema
      .default('optional')
      .describe(
        'What ties a token to who presents it is always checked; this says whether it has to be tied. required refuses plain bearer tokens, x5t#S256, dpop and spiffe all that are not tied in this way. An issuer and a route can ask for something else.',
      ),
    dpop: dpopSchema,
    resource_metadata: z
      .string()
      .check(check(metadataFault, true))
      .optional()
      .describe(
        'The URL of the metadata of what this mesh protects (RFC 9728), which challenges name. A route can name its own (countersign.resource_metadata).',
      ),
    delegation: z
      .strictObject({
        max_depth: z
          .int()
          .min(0)
          .max(16)
          .default(4)
          .describe('The most actors that act may name, nested in each other. 0 refuses delegated tokens.'),
      })
      .prefault({})
      .describe('Tokens with which somebody acts for somebody else (act, RFC 8693).'),
    transaction: transactionSchema.optional(),
    user: userTokenSchema.optional(),
    issuers: z
      .array(issuerSchema)
      .check(checkAcross(repeatedIssuers))
      .check(checkAcross(ambiguousOpaque))
      .prefault([])
      .describe('The authorization servers whose tokens are accepted; at least one unless mode is off.'),
  })
  .check(checkAcross(missingIssuers))
  .check(checkAcross(userTokenFaults))
  .prefault({})
  .describe('What the caller was granted: OAuth access tokens.');
