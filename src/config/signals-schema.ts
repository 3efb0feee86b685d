import { z } from 'zod';
import { algorithm } from './algorithm-schema.js';
import { check, checkAcross, isMapping, matching, path } from './checks.js';
import { isFault, parseListenAddress } from './listen-address.js';
import { DISCOVERY, jwksFault } from './location.js';
import type { Fault } from './problem.js';

function listenFault(text: string): Fault | undefined {
  const address = parseListenAddress(text);
  if (isFault(address)) return address;
  return 'port' in address
    ? undefined
    : { wrong: 'is a Unix socket, where no events are received', mend: 'write host:port' };
}

function keysFault(location: string): Fault | undefined {
  if (location !== DISCOVERY) return jwksFault(location);
  return {
    wrong: 'is not looked for with transmitters',
    mend: 'write the jwks_uri that stands in its /.well-known/ssf-configuration, or the path of a file',
  };
}

function* repeated(transmitters: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!Array.isArray(transmitters)) return;
  const names: unknown[] = transmitters.map((one) => (isMapping(one) ? one.issuer : undefined));
  for (const [i, name] of names.entries())
    if (typeof name === 'string' && names.indexOf(name) !== i)
      yield [
        [i, 'issuer'],
        {
          wrong: `is the issuer of transmitters[${names.indexOf(name)}] again`,
          mend: 'make the two one entry',
        },
      ];
}

const transmitter = z.strictObject({
  issuer: z.string().min(1).describe('The iss of its security event tokens.'),
  audience: z.string().min(1).describe('What this receiver is called in their aud.'),
  jwks: z
    .string()
    .check(check(keysFault))
    .describe("Its keys: the jwks_uri of its metadata, or a file (relative to this file's folder)."),
  algorithms: z
    .array(algorithm)
    .min(1)
    .prefault(['RS256', 'ES256'])
    .describe('The signature algorithms that are accepted of it.'),
  issuers: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('The issuers of tokens whose subjects it may speak of. Its own issuer, unless given.'),
  trust_domains: z
    .array(
      matching(/^[a-z0-9._-]{1,255}$/, {
        wrong: 'is not the name of a trust domain',
        mend: 'write it without spiffe://',
      }),
    )
    .default([])
    .describe('The trust domains whose workloads it may speak of.'),
  authorization_file: path(
    'A file with what it has to send as Authorization: Bearer, read anew at each event.',
  ).optional(),
});

/** `revocation.signals`: OpenID Shared Signals, pushed to this server (RFC 8935). */
export const signalsSchema = z.strictObject({
  listen: z
    .string()
    .check(check(listenFault, true))
    .default('127.0.0.1:8282')
    .describe('Where events are received, at POST /events: host:port or [ipv6]:port. It speaks plain HTTP.'),
  transmitters: z
    .array(transmitter)
    .min(1)
    .check(checkAcross(repeated))
    .describe('Who may tell of events, each once.'),
});
