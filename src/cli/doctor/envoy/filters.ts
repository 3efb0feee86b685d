import { report, type EnvoyContext } from './context.js';
import type { EnvoyNode } from './document.js';
import { checkHttpExtAuthz, HTTP_EXT_AUTHZ } from './ext-authz.js';

const HTTP = 'envoy.extensions.filters.http.';

/** Filters that can change what was decided on, where they come after the decision. */
const CHANGING: { readonly [type: string]: string } = {
  [`${HTTP}lua.v3.Lua`]: 'Lua',
  [`${HTTP}wasm.v3.Wasm`]: 'a Wasm filter',
  [`${HTTP}golang.v3alpha.Config`]: 'a Go filter',
  [`${HTTP}ext_proc.v3.ExternalProcessor`]: 'an external processor',
  [`${HTTP}header_mutation.v3.HeaderMutation`]: 'a header mutation',
  [`${HTTP}dynamic_modules.v3.DynamicModuleFilter`]: 'a dynamic module',
};

/** Filters that answer with what an earlier request was let see. */
const ANSWERING: readonly string[] = [`${HTTP}cache.v3.CacheConfig`, `${HTTP}cache_v2.v3.CacheV2Config`];

/**
 * The HTTP filters of one connection manager.
 *
 * @returns the ext_authz filters by name; none where Countersign is not asked
 */
export function checkFilters(context: EnvoyContext, manager: EnvoyNode): readonly string[] {
  const filters = manager.get('http_filters').items();
  const types = filters.map((filter) => filter.get('typed_config').type);
  const first = types.indexOf(HTTP_EXT_AUTHZ);
  if (first < 0) return [];
  for (const [i, filter] of filters.entries()) {
    if (types[i] === HTTP_EXT_AUTHZ) {
      checkHttpExtAuthz(context, filter.get('typed_config').message);
      checkDisabled(context, filter);
      continue;
    }
    if (i < first) checkBefore(context, filter, types[i]!);
    else checkAfter(context, filter, types[i]!);
  }
  if (types.indexOf(`${HTTP}router.v3.Router`) >= 0 && types.indexOf(`${HTTP}router.v3.Router`) < first) {
    report(
      context,
      'envoy_filter_unreached',
      filters[first]!,
      'the filter comes after the router',
      'put it before the router',
    );
  }
  checkUpgrades(context, manager);
  return filters
    .filter((_, i) => types[i] === HTTP_EXT_AUTHZ)
    .map((filter) => filter.get('name').text() ?? '');
}

function checkDisabled(context: EnvoyContext, filter: EnvoyNode): void {
  const disabled = filter.get('disabled');
  if (!disabled.isTrue()) return;
  report(
    context,
    'envoy_filter_disabled',
    disabled,
    'the filter is switched off where a route does not switch it on',
    'leave disabled out, and switch the filter off on the routes that need no decision',
  );
}

function checkBefore(context: EnvoyContext, filter: EnvoyNode, type: string): void {
  if (filter.get('disabled').isTrue()) return;
  if (ANSWERING.includes(type)) {
    report(
      context,
      'envoy_answers_before',
      filter,
      'a cache comes before the decision',
      'put the cache after the ext_authz filter',
    );
  }
  if (type !== `${HTTP}jwt_authn.v3.JwtAuthentication` || context.config?.token.mode === 'off') return;
  for (const [name, provider] of filter.get('typed_config').message.get('providers').pairs()) {
    const from = provider
      .get('from_headers')
      .items()
      .map((header) => header.get('name').text()?.toLowerCase());
    const elsewhere = provider.get('from_params').exists || provider.get('from_cookies').exists;
    const takes = from.length === 0 ? !elsewhere : from.includes('authorization');
    if (provider.get('forward').isTrue() || !takes) continue;
    report(
      context,
      'envoy_token_stripped',
      provider,
      `jwt_authn comes before the decision, and takes the tokens of ${name} out of the request`,
      'set forward: true, or put jwt_authn after the ext_authz filter',
    );
  }
}

function checkAfter(context: EnvoyContext, filter: EnvoyNode, type: string): void {
  if (filter.get('disabled').isTrue()) return;
  const what = CHANGING[type];
  if (what === undefined) return;
  const { message } = filter.get('typed_config');
  // One that changes answers alone does not touch what was decided on.
  if (type.endsWith('.HeaderMutation') && message.get('mutations', 'request_mutations').items().length === 0)
    return;
  report(
    context,
    'envoy_filter_order',
    filter,
    `${what} comes after the decision, and can change the request`,
    'put it before the ext_authz filter, or see to it that it leaves path and headers alone',
  );
}

/** An upgrade can have a chain of filters of its own, in place of http_filters. */
function checkUpgrades(context: EnvoyContext, manager: EnvoyNode): void {
  for (const upgrade of manager.get('upgrade_configs').items()) {
    const filters = upgrade.get('filters').items();
    if (filters.length === 0) continue;
    const asks = filters.some((filter) => filter.get('typed_config').type === HTTP_EXT_AUTHZ);
    if (asks) continue;
    report(
      context,
      'envoy_upgrade_bypass',
      upgrade.get('filters'),
      `upgrades to ${upgrade.get('upgrade_type').text() ?? 'something'} have filters of their own, and ext_authz is not among them`,
      'leave filters out, so that http_filters apply, or put the ext_authz filter there as well',
    );
  }
}
