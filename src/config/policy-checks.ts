import { isMapping } from './checks.js';
import { parseDuration } from './duration.js';
import { isPlainHttp } from './location.js';
import type { Fault } from './problem.js';

type Found = readonly [path: PropertyKey[], fault: Fault];
type Mapping = Record<string, unknown>;

/** What is wrong with `policy` across its keys. Anything may stand in the place of each. */
export function* policyFaults(policy: unknown): Iterable<Found> {
  if (!isMapping(policy)) return;
  yield* placeFaults(policy);
  const bundles = mapping(policy.bundles);
  for (const [name, bundle] of Object.entries(bundles))
    if (isMapping(bundle)) yield* bundleFaults(policy, name, bundle);
  yield* shadowFaults(policy, bundles);
}

/** Once there is a key, an unsigned policy can only get in by an explicit `required: false`. */
export function signaturesRequired(policy: { readonly keys?: unknown; readonly signing?: unknown }): boolean {
  const { required } = mapping(policy.signing);
  return typeof required === 'boolean' ? required : Object.keys(mapping(policy.keys)).length > 0;
}

function* placeFaults(policy: Mapping): Iterable<Found> {
  const bundles = Object.keys(mapping(policy.bundles));
  const deciding = bundles.filter((name) => name !== mapping(policy.shadow).bundle);
  if (policy.path === undefined && deciding.length === 0) {
    yield [[], { wrong: 'names no policy that decides', mend: 'add path, or an entry of bundles' }];
  } else if (policy.path !== undefined && deciding.length > 0) {
    yield [['path'], { wrong: 'stands beside bundles', mend: 'leave out one of the two' }];
  }
  if (policy.path !== undefined && signaturesRequired(policy)) {
    yield [
      ['path'],
      {
        wrong: 'is not signed, while signatures are required',
        mend: 'make it an entry of bundles with signing, or set signing.required to false',
      },
    ];
  }
  if (mapping(policy.signing).required === true && Object.keys(mapping(policy.keys)).length === 0)
    yield [['signing', 'required'], { wrong: 'is true, while there is no key', mend: 'add one to keys' }];
}

function* bundleFaults(policy: Mapping, name: string, bundle: Mapping): Iterable<Found> {
  const at = (...path: PropertyKey[]) => ['bundles', name, ...path];
  const mend = 'give it one of the two';
  if (bundle.path === undefined && bundle.service === undefined)
    yield [at(), { wrong: 'has neither path nor service', mend }];
  if (bundle.path !== undefined && bundle.service !== undefined)
    yield [at('path'), { wrong: 'stands beside service', mend }];
  for (const key of ['resource', 'persist'] as const)
    if (bundle.service === undefined && bundle[key] !== undefined && bundle[key] !== false)
      yield [at(key), { wrong: 'is for a bundle of a service', mend: 'leave it out' }];
  if (bundle.persist === true && policy.persistence_directory === undefined)
    yield [at('persist'), { wrong: 'has no place', mend: 'set policy.persistence_directory' }];
  // As text where one of the two is wrong by itself.
  const { min_delay: least, max_delay: most } = { ...DELAYS, ...mapping(bundle.polling) };
  if ((milliseconds(least) ?? 0) > (milliseconds(most) ?? Infinity))
    yield [at('polling', 'min_delay'), { wrong: 'is more than max_delay', mend: 'make the one the lesser' }];
  yield* serviceFaults(policy, bundle, at);
  yield* signingFaults(policy, bundle, at);
}

const DELAYS = { min_delay: '60s', max_delay: '120s' };

function milliseconds(delay: unknown): number | undefined {
  return typeof delay === 'string' ? parseDuration(delay) : typeof delay === 'number' ? delay : undefined;
}

function* serviceFaults(
  policy: Mapping,
  bundle: Mapping,
  at: (...path: PropertyKey[]) => PropertyKey[],
): Iterable<Found> {
  if (typeof bundle.service !== 'string') return;
  const services = mapping(policy.services);
  const service = Object.hasOwn(services, bundle.service) ? services[bundle.service] : undefined;
  if (service === undefined) {
    yield [at('service'), { wrong: 'is not one of policy.services', mend: 'add it there' }];
    return;
  }
  const { url, credentials } = mapping(service);
  if (typeof url !== 'string' || !isPlainHttp(url)) return;
  if (credentials !== undefined || !isMapping(bundle.signing))
    yield [
      at('service'),
      {
        wrong: 'is reached by plain http',
        mend: 'use https (http is for loopback addresses, and for signed bundles without credentials)',
      },
    ];
}

function* signingFaults(
  policy: Mapping,
  bundle: Mapping,
  at: (...path: PropertyKey[]) => PropertyKey[],
): Iterable<Found> {
  const keys = mapping(policy.keys);
  if (!isMapping(bundle.signing)) {
    if (signaturesRequired(policy))
      yield [
        at(),
        {
          wrong: 'has no signing, while signatures are required',
          mend: 'add signing: {}, or set policy.signing.required to false',
        },
      ];
    return;
  }
  const { keyid } = bundle.signing;
  if (Object.keys(keys).length === 0)
    yield [at('signing'), { wrong: 'has no key to verify with', mend: 'add one to policy.keys' }];
  else if (typeof keyid === 'string' && !Object.hasOwn(keys, keyid))
    yield [at('signing', 'keyid'), { wrong: 'is not one of policy.keys', mend: 'add it there' }];
}

function* shadowFaults(policy: Mapping, bundles: Mapping): Iterable<Found> {
  if (!isMapping(policy.shadow)) return;
  const { path, bundle } = policy.shadow;
  if ((path === undefined) === (bundle === undefined))
    yield [['shadow'], { wrong: 'has not exactly one of path and bundle', mend: 'give it one of the two' }];
  else if (typeof bundle === 'string' && !Object.hasOwn(bundles, bundle))
    yield [['shadow', 'bundle'], { wrong: 'is not one of policy.bundles', mend: 'add it there' }];
}

function mapping(value: unknown): Mapping {
  return isMapping(value) ? value : {};
}
