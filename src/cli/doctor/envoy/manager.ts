import { report, sourceOf, type EnvoyContext } from './context.js';
import type { EnvoyNode } from './document.js';

const FORWARD = [
  'SANITIZE',
  'FORWARD_ONLY',
  'APPEND_FORWARD',
  'SANITIZE_SET',
  'ALWAYS_FORWARD_ONLY',
] as const;
const SLASHES = [
  'IMPLEMENTATION_SPECIFIC_DEFAULT',
  'KEEP_UNCHANGED',
  'REJECT_REQUEST',
  'UNESCAPE_AND_REDIRECT',
  'UNESCAPE_AND_FORWARD',
] as const;

/**
 * What a connection manager makes of a request before anybody decides on it: its path, and headers that a client has
 * no business with.
 */
export function checkManager(context: EnvoyContext, manager: EnvoyNode): void {
  checkPath(context, manager);
  checkClientHeaders(context, manager);
  if (sourceOf(context) === 'xfcc') checkTrustedXfcc(context, manager);
  else checkForwardedXfcc(context, manager);
}

function checkPath(context: EnvoyContext, manager: EnvoyNode): void {
  const normalize = manager.get('normalize_path');
  if (!normalize.isTrue()) {
    report(
      context,
      'envoy_path_not_normalized',
      normalize,
      'dots in paths are left as they are',
      'set normalize_path: true',
    );
  }
  const merge = manager.get('merge_slashes');
  if (!merge.isTrue()) {
    report(
      context,
      'envoy_slashes_not_merged',
      merge,
      'slashes beside each other are left as they are',
      'set merge_slashes: true',
    );
  }
  const escaped = manager.get('path_with_escaped_slashes_action');
  const action = escaped.oneOf(SLASHES);
  if (action === 'IMPLEMENTATION_SPECIFIC_DEFAULT' || action === 'KEEP_UNCHANGED') {
    report(
      context,
      'envoy_escaped_slashes',
      escaped,
      'escaped slashes (%2F, %5C) are left as they are',
      'set path_with_escaped_slashes_action: REJECT_REQUEST',
    );
  }
}

function checkClientHeaders(context: EnvoyContext, manager: EnvoyNode): void {
  const underscores = manager.get('common_http_protocol_options', 'headers_with_underscores_action');
  if (underscores.oneOf(['ALLOW', 'REJECT_REQUEST', 'DROP_HEADER']) === 'ALLOW') {
    report(
      context,
      'envoy_underscores',
      underscores,
      'names of headers may have underscores',
      'set common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }',
    );
  }
  const remote = manager.get('use_remote_address');
  // A number of trusted hops says that a proxy ahead is meant to write the header.
  if (!remote.isTrue() && (manager.get('xff_num_trusted_hops').number() ?? 0) === 0) {
    report(
      context,
      'envoy_client_address',
      remote,
      "the client's address is what x-forwarded-for says",
      'set use_remote_address: true where clients connect to this Envoy themselves, or xff_num_trusted_hops where proxies do',
    );
  }
  for (const range of manager.get('internal_address_config', 'cidr_ranges').items()) {
    if ((range.get('prefix_len').number() ?? 0) >= 8) continue;
    report(
      context,
      'envoy_internal_addresses',
      range,
      `${range.get('address_prefix').text() ?? ''}/${range.get('prefix_len').number() ?? 0} counts as internal`,
      'name the networks of the mesh alone',
    );
  }
}

/** Countersign does not read the header, but the service may. */
function checkForwardedXfcc(context: EnvoyContext, manager: EnvoyNode): void {
  const forward = manager.get('forward_client_cert_details');
  const mode = forward.oneOf(FORWARD);
  if (mode === 'FORWARD_ONLY' || mode === 'ALWAYS_FORWARD_ONLY') {
    report(
      context,
      'envoy_xfcc_forwarded',
      forward,
      'x-forwarded-client-cert of clients is passed on',
      'set forward_client_cert_details: SANITIZE_SET, or identity.source: xfcc where a proxy ahead ends mTLS',
    );
  }
  if (mode === 'APPEND_FORWARD') {
    report(
      context,
      'envoy_xfcc_appended',
      forward,
      'x-forwarded-client-cert of clients is passed on, with an element appended',
      'set forward_client_cert_details: SANITIZE_SET, unless the service reads the last element alone',
    );
  }
}

/** identity.source: xfcc (docs/identity.md). */
function checkTrustedXfcc(context: EnvoyContext, manager: EnvoyNode): void {
  const { trusted_hops: hops, format } = context.config!.identity.xfcc!;
  const forward = manager.get('forward_client_cert_details');
  const mode = forward.oneOf(FORWARD);
  if (mode === 'SANITIZE' || mode === 'SANITIZE_SET') {
    report(
      context,
      'envoy_xfcc_removed',
      forward,
      `${mode} takes the client's element away, while identity.source is xfcc`,
      'set forward_client_cert_details: FORWARD_ONLY, or APPEND_FORWARD with one more of trusted_hops',
    );
  }
  if (mode !== 'APPEND_FORWARD') return;
  const details = manager.get('set_current_client_cert_details');
  if (hops < 2) {
    report(
      context,
      'envoy_xfcc_hops',
      forward,
      'this Envoy appends the proxy ahead of it, and identity.xfcc.trusted_hops: 1 takes that one for the client',
      'count this Envoy too: trusted_hops is the number of proxies ahead, and one',
    );
  }
  if (!details.get('cert').isTrue()) {
    report(
      context,
      'envoy_xfcc_details',
      details.get('cert'),
      'the element that this Envoy appends has no certificate',
      'set set_current_client_cert_details: { uri: true, cert: true, chain: true }',
    );
  }
  const written = details.get('format').oneOf(['TEXT', 'JSON']) === 'JSON' ? 'json' : 'text';
  if (format !== 'auto' && format !== written) {
    report(
      context,
      'envoy_xfcc_format',
      details.get('format'),
      `this Envoy writes ${written}, and identity.xfcc.format is ${format}`,
      'write the same on both sides',
    );
  }
}
