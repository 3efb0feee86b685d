import { z } from 'zod';
import { check, checkAcross, duration, isMapping, matching, optionalDuration, path } from './checks.js';
import { endpointFaults, federationSchema } from './federation-schema.js';
import type { Fault } from './problem.js';
import { socketFault } from './workload-api-address.js';

const trustDomainName = matching(/^[a-z0-9._-]{1,255}$/, {
  wrong: 'is not the name of a trust domain',
  mend: 'write 1 to 255 of a-z, 0-9, dot, hyphen and underscore, without spiffe://',
});

/** `identity.trust_domains`: where the bundle of each comes from. */
export const trustDomainsSchema = z
  .record(
    trustDomainName,
    z.strictObject({
      bundle: path(
        'The roots of the trust domain: PEM certificates, or a SPIFFE bundle (JSON), in a file.',
      ).optional(),
      workload_api: z
        .literal(true)
        .optional()
        .describe('In place of a file: whether the bundle comes from the Workload API.'),
      federation: federationSchema.optional(),
      max_stale: optionalDuration('0s', '365d', 'identity.max_stale, for this trust domain.'),
    }),
  )
  .check(checkAcross(sourceFaults))
  .describe('The trust domains whose workloads are known, by name. A workload of any other one is refused.');

/** `identity.workload_api`: the agent of SPIRE, or another one that speaks as it does. */
export const workloadApiSchema = z
  .strictObject({
    socket: z
      .string()
      .check(check(socketFault, true))
      .optional()
      .describe('unix:///absolute/path of its socket. SPIFFE_ENDPOINT_SOCKET where nothing is written.'),
    federated: z
      .enum(['listed', 'all'])
      .default('listed')
      .describe(
        'Which of the bundles that it sends are used: those of trust_domains with workload_api, or besides those of all domains that trust_domains does not name.',
      ),
    refresh: duration('1s', '1h', '1m', 'How long it may be silent before it is asked again.'),
  })
  .prefault({})
  .describe('The SPIFFE Workload API, for the trust domains whose bundles come from it.');

/** What is wrong with having no trust domain, across keys. */
export function* absenceFaults(identity: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(identity) || !isMapping(identity.trust_domains)) return;
  if (Object.keys(identity.trust_domains).length > 0) return;
  if (isMapping(identity.workload_api) && identity.workload_api.federated === 'all') return;
  yield [
    ['trust_domains'],
    { wrong: 'names no trust domain', mend: 'add one, with the source of its bundle' },
  ];
}

/** What is wrong with the sources of trust domains. Anything may stand in the place of each. */
export function* sourceFaults(domains: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(domains)) return;
  for (const [name, domain] of Object.entries(domains)) {
    if (!isMapping(domain)) continue;
    const [first, second] = SOURCES.filter((source) => domain[source] !== undefined);
    const at = [name];
    if (first === undefined)
      yield [at, { wrong: 'has no source of its bundle', mend: `add one of ${SOURCES.join(', ')}` }];
    else if (second !== undefined)
      yield [
        [...at, second],
        { wrong: `stands beside ${first}`, mend: 'leave one: bundles are never merged' },
      ];
    if (isMapping(domain.federation))
      for (const [path, fault] of endpointFaults(name, domain.federation, domains))
        yield [[...at, 'federation', ...path], fault];
  }
}

const SOURCES = ['bundle', 'workload_api', 'federation'] as const;
