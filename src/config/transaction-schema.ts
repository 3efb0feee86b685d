import { z } from 'zod';
import { algorithm } from './algorithm-schema.js';
import { check, checkAcross, duration, isMapping } from './checks.js';
import { DISCOVERY, discoverableFault, jwksFault } from './location.js';
import type { Fault } from './problem.js';

const service = z
  .strictObject({
    issuer: z.string().min(1).describe("The service's identifier, exactly as its tokens write it in iss."),
    jwks: z
      .string()
      .check(check(jwksFault))
      .describe("The service's keys: a file, an https URL (http for loopback hosts only), or discovery."),
    algorithms: z
      .array(algorithm)
      .min(1)
      .prefault(['RS256', 'ES256'])
      .describe('The signature algorithms that are accepted.'),
    max_lifetime: duration('1s', '1h', '5m', 'The most that exp may lie after iat.'),
    clock_skew: duration('0s', '5m', '0s', "Leeway for the token's times."),
  })
  .check(checkAcross(discoveryFaults));

function* discoveryFaults(entry: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(entry) || entry.jwks !== DISCOVERY || typeof entry.issuer !== 'string') return;
  const fault = discoverableFault(entry.issuer);
  if (fault !== undefined) yield [['issuer'], fault];
}

/** `token.transaction`: tokens that say what a request from outside was about. */
export const transactionSchema = z
  .strictObject({
    mode: z
      .enum(['off', 'optional', 'required'])
      .default('optional')
      .describe('Whether a request needs one. optional verifies one that comes; off never looks.'),
    trust_domain: z.string().min(1).describe('What this trust domain is called in aud.'),
    issuers: z
      .array(service)
      .min(1)
      .check(checkAcross(repeated))
      .describe('The transaction token services of this trust domain.'),
  })
  .describe('Transaction tokens, in the Txn-Token header.');

function* repeated(issuers: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!Array.isArray(issuers)) return;
  const names: unknown[] = issuers.map((entry) => (isMapping(entry) ? entry.issuer : undefined));
  for (const [i, name] of names.entries())
    if (typeof name === 'string' && names.indexOf(name) !== i)
      yield [[i, 'issuer'], { wrong: 'is there already', mend: 'make the two one entry' }];
}
