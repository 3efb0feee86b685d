import { readRoute, type RouteDefaults } from '../../../decision/route.js';
import { isRefusal } from '../../../errors/refusal.js';
import { report, type EnvoyContext } from './context.js';
import type { EnvoyNode } from './document.js';
import { HTTP_EXT_AUTHZ } from './ext-authz.js';

const PER_ROUTE = 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute';
const FILTER_CONFIG = 'envoy.config.route.v3.FilterConfig';

/** What Countersign itself sets, and takes out of requests where it is asked. */
const OURS = ['x-countersign-spiffe-id', 'x-countersign-subject', 'x-countersign-decision-id'];

/** Routes, and the connection manager that they are of where both stand in one place. */
export interface Routed {
  readonly routes: EnvoyNode;
  readonly manager?: EnvoyNode;
  /** The ext_authz filters of the manager. */
  readonly filters?: readonly string[];
}

/** envoy.config.route.v3.RouteConfiguration: where Countersign is not asked, or asked otherwise. */
export function checkRoutes(context: EnvoyContext, { routes, manager, filters }: Routed): void {
  let disabled = false;
  for (const level of levelsOf(routes)) {
    for (const [name, settings] of level.get('typed_per_filter_config').pairs()) {
      const { isOurs, off, message } = read(settings, name, filters);
      if (!isOurs) continue;
      if (filters !== undefined && !filters.includes(name)) {
        report(
          context,
          'envoy_route_unmatched',
          settings,
          `the settings are for a filter called ${name}, and no ext_authz filter is called so`,
          `write them under ${filters.join(' or ')}`,
        );
        continue;
      }
      if (off) {
        disabled = true;
        report(
          context,
          'envoy_route_disabled',
          settings,
          `the ext_authz filter is switched off for ${nameOf(level)}`,
          "nothing, if that is meant; otherwise narrow what is asked with context_extensions (countersign.token: 'off')",
        );
      }
      checkExtensions(context, message.get('check_settings', 'context_extensions'));
    }
  }
  if (disabled && manager !== undefined) checkHeadersRemoved(context, manager, routes);
  checkRouteCache(context, routes, manager);
}

/** Everything that can have settings of filters. */
function levelsOf(routes: EnvoyNode): readonly EnvoyNode[] {
  const hosts = routes.get('virtual_hosts').items();
  const entries = hosts.flatMap((host) => host.get('routes').items());
  const weighted = entries.flatMap((entry) => entry.get('route', 'weighted_clusters', 'clusters').items());
  return [routes, ...hosts, ...entries, ...weighted];
}

function read(settings: EnvoyNode, name: string, filters: readonly string[] | undefined) {
  const wrapped = settings.type === FILTER_CONFIG;
  const inner = wrapped ? settings.message.get('config') : settings;
  const ofThisFilter = inner.type === PER_ROUTE || (wrapped && !inner.exists && isNamed(name, filters));
  return {
    isOurs: ofThisFilter,
    message: inner.message,
    off: (wrapped && settings.message.get('disabled').isTrue()) || inner.message.get('disabled').isTrue(),
  };
}

function isNamed(name: string, filters: readonly string[] | undefined): boolean {
  return filters === undefined ? name === 'envoy.filters.http.ext_authz' : filters.includes(name);
}

function nameOf(level: EnvoyNode): string {
  const match = level.get('match');
  for (const kind of ['path', 'prefix', 'path_separated_prefix'])
    if (match.get(kind).exists) return `${kind} ${match.get(kind).text()}`;
  const regex = match.get('safe_regex', 'regex').text();
  return regex === undefined ? (level.get('name').text() ?? 'these routes') : `paths that match ${regex}`;
}

/** What Countersign would say of them at each request. */
function checkExtensions(context: EnvoyContext, extensions: EnvoyNode): void {
  const { config } = context;
  const given = Object.fromEntries(extensions.pairs().map(([name, value]) => [name, value.text() ?? '']));
  const wrong = readRoute(given, defaultsOf(config));
  if (!isRefusal(wrong)) return;
  // Without our configuration nothing is known of what it allows.
  if (config === undefined && /countersign\.(entrypoint|user_token)/.test(wrong.detail)) return;
  const detail = wrong.detail.replace(/^context_extensions: /, '');
  report(
    context,
    'envoy_route_misconfigured',
    extensions,
    detail,
    'correct the name or the value (docs/operating.md)',
  );
}

function defaultsOf(config: EnvoyContext['config']): RouteDefaults {
  const entrypoint = config?.policy.entrypoint ?? 'mesh/authz/decision';
  return {
    tokenMode: config?.token.mode ?? 'required',
    userTokenMode: config?.token.user?.mode,
    entrypoint,
    entrypoints: [entrypoint, ...(config?.policy.entrypoints ?? [])],
  };
}

/** Countersign takes forged headers away where it is asked; elsewhere somebody else has to. */
function checkHeadersRemoved(context: EnvoyContext, manager: EnvoyNode, routes: EnvoyNode): void {
  const early = manager
    .get('early_header_mutation_extensions')
    .items()
    .flatMap((extension) => extension.get('typed_config').message.get('mutations').items())
    .map((mutation) => mutation.get('remove').text()?.toLowerCase());
  const always = routes
    .get('request_headers_to_remove')
    .items()
    .map((name) => name.text()?.toLowerCase());
  const kept = OURS.filter((name) => !early.includes(name) && !always.includes(name));
  if (kept.length === 0) return;
  report(
    context,
    'envoy_route_headers_kept',
    manager.get('early_header_mutation_extensions'),
    `nothing takes ${kept.join(', ')} out of requests where the filter is switched off`,
    'remove them with early_header_mutation_extensions, as examples/envoy/envoy.yaml does',
  );
}

function checkRouteCache(context: EnvoyContext, routes: EnvoyNode, manager: EnvoyNode | undefined): void {
  if (manager === undefined) return;
  const onHeader = routes
    .get('virtual_hosts')
    .items()
    .flatMap((host) => host.get('routes').items())
    .find(
      (entry) =>
        entry.get('match', 'headers').items().length > 0 || entry.get('route', 'cluster_header').exists,
    );
  if (onHeader === undefined) return;
  for (const filter of manager.get('http_filters').items()) {
    if (filter.get('typed_config').type !== HTTP_EXT_AUTHZ) continue;
    const clear = filter.get('typed_config').message.get('clear_route_cache');
    if (clear.isTrue()) continue;
    report(
      context,
      'envoy_route_cache',
      clear,
      `the route of ${nameOf(onHeader)} is picked by a header before Countersign changes headers`,
      'set clear_route_cache: true',
    );
  }
}
