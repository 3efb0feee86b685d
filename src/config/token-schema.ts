import { z } from 'zod';
import { checkAcross, isMapping } from './checks.js';
import { issuerSchema } from './issuer-schema.js';
import type { Fault } from './problem.js';

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

function* missingIssuers(token: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(token) || !Array.isArray(token.issuers) || token.issuers.length > 0) return;
  if (token.mode !== 'required' && token.mode !== 'optional') return;
  yield [
    ['issuers'],
    { wrong: 'names no issuer, while mode is not off', mend: 'add an issuer, or set mode to off' },
  ];
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
    issuers: z
      .array(issuerSchema)
      .check(checkAcross(repeatedIssuers))
      .prefault([])
      .describe('The authorization servers whose tokens are accepted; at least one unless mode is off.'),
  })
  .check(checkAcross(missingIssuers))
  .prefault({})
  .describe('What the caller was granted: OAuth access tokens.');
