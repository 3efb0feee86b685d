import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { BindingRequirement } from '../token/types.js';

export type TokenMode = 'required' | 'optional' | 'off';

/** What applies on a route that says nothing of its own. */
export interface RouteDefaults {
  readonly tokenMode: TokenMode;
  /** Undefined where no user's token is configured. */
  readonly userTokenMode?: TokenMode | undefined;
  readonly entrypoint: string;
  /** Every entrypoint that was compiled in; a route may name no other. */
  readonly entrypoints: readonly string[];
}

export interface Route {
  readonly tokenMode: TokenMode;
  readonly userTokenMode?: TokenMode | undefined;
  readonly entrypoint: string;
  readonly audience?: string;
  readonly binding?: BindingRequirement;
  readonly resourceMetadata?: string;
  readonly transactionMode?: TokenMode;
}

/** Whatever begins like ours was meant for us, and a slip of the pen must not leave a route open. */
const OURS = /^countersign/i;

/**
 * Reads what a route's `context_extensions` ask for (envoy.extensions.filters.http.ext_authz.v3
 * CheckSettings). A `countersign.` key or value that is not understood refuses the request: the operator
 * meant to narrow something, and guessing what would fail open.
 */
export function readRoute(
  extensions: { readonly [name: string]: string },
  defaults: RouteDefaults,
): Route | Refusal<'route_misconfigured'> {
  let route: Route = defaults;
  for (const name in extensions) {
    if (!OURS.test(name)) continue;
    const next = narrow(route, name, extensions[name] ?? '', defaults.entrypoints);
    if (isRefusal(next)) return next;
    route = next;
  }
  return route;
}

function narrow(
  route: Route,
  name: string,
  value: string,
  entrypoints: readonly string[],
): Route | Refusal<'route_misconfigured'> {
  switch (name) {
    case 'countersign.token':
      if (!isMode(value)) return wrong(name, 'must be required, optional or off');
      return { ...route, tokenMode: value };
    case 'countersign.transaction':
      if (!isMode(value)) return wrong(name, 'must be required, optional or off');
      return { ...route, transactionMode: value };
    case 'countersign.user_token':
      if (!isMode(value)) return wrong(name, 'must be required, optional or off');
      if (route.userTokenMode === undefined) return wrong(name, 'needs token.user in the configuration');
      return { ...route, userTokenMode: value };
    case 'countersign.audience':
      if (value === '') return wrong(name, 'must not be empty');
      return { ...route, audience: value };
    case 'countersign.binding':
      if (!isBinding(value)) return wrong(name, `must be one of ${BINDINGS.join(', ')}`);
      return { ...route, binding: value };
    case 'countersign.resource_metadata':
      if (!isChallengeUrl(value)) return wrong(name, 'must be an https:// URL');
      return { ...route, resourceMetadata: value };
    case 'countersign.entrypoint':
      if (!entrypoints.includes(value))
        return wrong(name, `must be one of those compiled in: ${entrypoints.join(', ')}`);
      return { ...route, entrypoint: value };
    default:
      return wrong(
        name,
        'is not known; there are countersign.token, countersign.user_token, countersign.audience, countersign.binding, countersign.transaction, countersign.resource_metadata, countersign.entrypoint',
      );
  }
}

function isMode(value: string): value is TokenMode {
  return value === 'required' || value === 'optional' || value === 'off';
}

/** It stands between the quotes of a challenge as it is. */
function isChallengeUrl(value: string): boolean {
  return /^https?:\/\/[\x21\x23-\x5b\x5d-\x7e]+$/.test(value) && URL.canParse(value);
}

const BINDINGS: readonly BindingRequirement[] = ['optional', 'required', 'x5t#S256', 'dpop', 'spiffe'];

function isBinding(value: string): value is BindingRequirement {
  return (BINDINGS as readonly string[]).includes(value);
}

function wrong(name: string, mend: string): Refusal<'route_misconfigured'> {
  return refuse('route_misconfigured', `context_extensions: ${name} ${mend}`);
}
