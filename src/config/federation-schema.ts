import { z } from 'zod';
import { check, duration, isMapping, matching, path } from './checks.js';
import { parseDuration } from './duration.js';
import { endpointUrlFault } from './location.js';
import type { Fault } from './problem.js';

/** `identity.trust_domains.<name>.federation`: the bundle endpoint of a trust domain. */
export const federationSchema = z
  .strictObject({
    url: z.string().check(check(endpointUrlFault)).describe('The https URL of the bundle endpoint.'),
    profile: z
      .enum(['https_web', 'https_spiffe'])
      .describe(
        'How the endpoint proves who it is: https_web by the host of the URL and the Web PKI, https_spiffe by its SPIFFE ID.',
      ),
    ca: path(
      'For https_web: the roots that the server is trusted by, PEM, in place of those of Node.',
    ).optional(),
    endpoint_spiffe_id: matching(/^spiffe:\/\/[a-z0-9._-]{1,255}(\/[A-Za-z0-9._-]+)+$/, {
      wrong: 'is not the SPIFFE ID of a workload',
      mend: 'write spiffe://trust-domain/path',
    })
      .optional()
      .describe("For https_spiffe: the endpoint's own SPIFFE ID."),
    bootstrap: path(
      'For https_spiffe, where the endpoint belongs to the trust domain that it serves: the bundle that it is verified with until one was fetched.',
    ).optional(),
    min_refresh: duration(
      '1s',
      '1d',
      '30s',
      "The least time between two fetches, whatever the bundle's refresh hint.",
    ),
    max_refresh: duration('1s', '7d', '1h', 'The most.'),
  })
  .describe('In place of a file: the bundle endpoint of the trust domain.');

/** What is wrong with one bundle endpoint, across keys. */
export function* endpointFaults(
  name: string,
  endpoint: Record<string, unknown>,
  domains: Record<string, unknown>,
): Iterable<[PropertyKey[], Fault]> {
  const { profile, ca, endpoint_spiffe_id: id, bootstrap } = endpoint;
  if ((milliseconds(endpoint.min_refresh) ?? 0) > (milliseconds(endpoint.max_refresh) ?? Infinity))
    yield [['min_refresh'], { wrong: 'is more than max_refresh', mend: 'make the one the lesser' }];
  if (profile === 'https_web') {
    for (const key of ['endpoint_spiffe_id', 'bootstrap'] as const)
      if (endpoint[key] !== undefined)
        yield [[key], { wrong: 'is for https_spiffe', mend: 'leave it out, or change profile' }];
  }
  if (profile !== 'https_spiffe') return;
  if (ca !== undefined)
    yield [
      ['ca'],
      { wrong: 'is for https_web', mend: 'leave it out: the endpoint is verified with a trust bundle' },
    ];
  if (id === undefined)
    yield [
      ['endpoint_spiffe_id'],
      {
        wrong: 'is missing',
        mend: 'write the SPIFFE ID of the endpoint: with https_spiffe it is who has to answer',
      },
    ];
  const itsDomain = domainOf(endpoint);
  if (itsDomain === undefined) return;
  if (itsDomain === name) {
    if (bootstrap === undefined)
      yield [
        ['bootstrap'],
        {
          wrong: 'is missing',
          mend: 'add the file of a bundle: the endpoint belongs to the domain that it serves',
        },
      ];
    return;
  }
  if (bootstrap !== undefined)
    yield [
      ['bootstrap'],
      {
        wrong: 'is for an endpoint of the domain that it serves',
        mend: `leave it out: the bundle of ${itsDomain} verifies this one`,
      },
    ];
  if (!Object.hasOwn(domains, itsDomain))
    yield [
      ['endpoint_spiffe_id'],
      { wrong: 'is of a trust domain that is not known', mend: `add ${itsDomain} to trust_domains` },
    ];
  else if (leadsBack(name, domains))
    yield [
      ['endpoint_spiffe_id'],
      {
        wrong: 'leads in a circle, in which no domain can be the first',
        mend: 'give one of them another source',
      },
    ];
}

/** Whether the endpoints that verify each other come back to this domain. */
function leadsBack(name: string, domains: Record<string, unknown>): boolean {
  const seen = new Set<string>();
  for (let next = verifierOf(domains[name]); next !== undefined && !seen.has(next);) {
    if (next === name) return true;
    seen.add(next);
    next = Object.hasOwn(domains, next) ? verifierOf(domains[next], next) : undefined;
  }
  return false;
}

/** The trust domain that verifies the endpoint of this one, unless it does so itself. */
function verifierOf(domain: unknown, name?: string): string | undefined {
  if (!isMapping(domain) || !isMapping(domain.federation)) return undefined;
  const itsDomain = domainOf(domain.federation);
  return itsDomain === name ? undefined : itsDomain;
}

function domainOf({ profile, endpoint_spiffe_id: id }: Record<string, unknown>): string | undefined {
  if (profile !== 'https_spiffe' || typeof id !== 'string') return undefined;
  return /^spiffe:\/\/([^/]+)\//.exec(id)?.[1];
}

/** As text where something is wrong with it, or with something beside it. */
function milliseconds(delay: unknown): number | undefined {
  return typeof delay === 'string' ? parseDuration(delay) : typeof delay === 'number' ? delay : undefined;
}
