import { needsCertificate, report, sourceOf, type EnvoyContext } from './context.js';
import type { EnvoyNode } from './document.js';
import { matchesHeader, neededHeaders } from './headers.js';

export const HTTP_EXT_AUTHZ = 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz';
export const TCP_EXT_AUTHZ = 'envoy.extensions.filters.network.ext_authz.v3.ExtAuthz';

/** Milliseconds that nobody should wait for a decision. */
const LONG = 5_000;
/** Bytes of a message that Countersign takes (src/server/grpc-server.ts), with room for all but the body. */
const MOST_BODY = 8 * 1024 * 1024 - 256 * 1024;

/**
 * envoy.extensions.filters.http.ext_authz.v3.ExtAuthz.
 *
 * @param filter the message
 * @param partial whether it is merged into another one, so that what it leaves out says nothing
 */
export function checkHttpExtAuthz(context: EnvoyContext, filter: EnvoyNode, partial = false): void {
  checkCommon(context, filter, partial);
  checkBody(context, filter.get('with_request_body'));
  const httpService = filter.get('http_service');
  if (httpService.exists) {
    report(
      context,
      'envoy_http_service',
      httpService,
      'the filter asks over HTTP',
      'write grpc_service in its place',
    );
  } else if (!partial && !filter.get('grpc_service').exists) {
    report(
      context,
      'envoy_grpc_service_missing',
      filter,
      'the filter does not say whom to ask',
      'write grpc_service with the cluster of Countersign',
    );
  }
  checkStatusOnError(context, filter.get('status_on_error', 'code'));
  checkShare(context, filter);
  checkAllowedHeaders(context, filter);
  if (!partial && !filter.get('validate_mutations').isTrue()) {
    report(
      context,
      'envoy_mutations_unchecked',
      filter.get('validate_mutations'),
      'headers that a policy sets are not checked',
      'set validate_mutations: true',
    );
  }
}

/** envoy.extensions.filters.network.ext_authz.v3.ExtAuthz. */
export function checkTcpExtAuthz(context: EnvoyContext, filter: EnvoyNode): void {
  checkCommon(context, filter, false);
  const source = sourceOf(context);
  if (source === 'certificate') return;
  report(
    context,
    'envoy_tcp_source',
    filter,
    `connections are decided by their certificate alone, while identity.source is ${source}`,
    'ask a Countersign whose identity.source is certificate',
  );
}

function checkCommon(context: EnvoyContext, filter: EnvoyNode, partial: boolean): void {
  const open = filter.get('failure_mode_allow');
  if (open.isTrue()) {
    report(
      context,
      'envoy_failure_mode_allow',
      open,
      'no answer lets a request through',
      'set failure_mode_allow: false',
    );
  } else if (filter.get('failure_mode_allow_header_add').isTrue()) {
    report(
      context,
      'envoy_failure_header_idle',
      filter.get('failure_mode_allow_header_add'),
      'it is left over from failure_mode_allow: true',
      'leave failure_mode_allow_header_add out',
    );
  }
  const certificate = filter.get('include_peer_certificate');
  if (needsCertificate(context) && !certificate.isTrue() && (!partial || certificate.exists)) {
    report(
      context,
      'envoy_peer_certificate_missing',
      certificate,
      'Envoy does not send the peer certificate',
      'set include_peer_certificate: true',
    );
  }
  const version = filter.get('transport_api_version');
  if ((!partial || version.exists) && version.oneOf(['AUTO', 'V2', 'V3']) !== 'V3') {
    report(
      context,
      'envoy_transport_version',
      version,
      'transport_api_version is not V3',
      'set transport_api_version: V3',
    );
  }
  const service = filter.get('grpc_service');
  if (!service.exists) return;
  if (service.get('google_grpc').exists) {
    report(
      context,
      'envoy_google_grpc',
      service.get('google_grpc'),
      "the filter asks through Google's gRPC client",
      'write envoy_grpc with the name of a cluster',
    );
  }
  checkTimeout(context, service.get('timeout'));
}

function checkTimeout(context: EnvoyContext, timeout: EnvoyNode): void {
  const milliseconds = timeout.milliseconds();
  if (milliseconds === undefined) {
    report(
      context,
      'envoy_timeout_missing',
      timeout,
      'the filter does not say how long it waits',
      'set grpc_service.timeout: 0.5s',
    );
  } else if (milliseconds > LONG || milliseconds === 0) {
    // 0s is no bound at all (measured on Envoy 1.40).
    const wait = milliseconds === 0 ? 'without an end' : `for ${milliseconds / 1000} s`;
    report(
      context,
      'envoy_timeout_long',
      timeout,
      `the filter waits ${wait}`,
      'set grpc_service.timeout: 0.5s',
    );
  }
}

function checkBody(context: EnvoyContext, body: EnvoyNode): void {
  if (body.get('allow_partial_message').isTrue()) {
    report(
      context,
      'envoy_partial_body',
      body.get('allow_partial_message'),
      'a body that is longer than max_request_bytes is sent in part',
      'set allow_partial_message: false, or let policies refuse input.truncated_body',
    );
  }
  const most = body.get('max_request_bytes');
  if ((most.number() ?? 0) > MOST_BODY) {
    report(
      context,
      'envoy_body_too_large',
      most,
      'bodies are sent that are larger than Countersign takes',
      'set max_request_bytes to 8000000 or less',
    );
  }
}

function checkStatusOnError(context: EnvoyContext, code: EnvoyNode): void {
  const written = code.text();
  // envoy.type.v3.StatusCode: names where YAML has them, numbers in a dump.
  const named: { readonly [name: string]: number } = {
    Continue: 100,
    OK: 200,
    Created: 201,
    Accepted: 202,
    NoContent: 204,
  };
  const status = written === undefined ? 403 : (code.number() ?? named[written] ?? 400);
  if (status >= 400) return;
  report(
    context,
    'envoy_status_on_error',
    code,
    `an error is answered with ${status}`,
    'leave status_on_error out (403), or write 503',
  );
}

/** envoy.config.core.v3.RuntimeFractionalPercent */
function checkShare(context: EnvoyContext, filter: EnvoyNode): void {
  const enabled = filter.get('filter_enabled');
  if (!enabled.exists || filter.get('deny_at_disable', 'default_value').isTrue()) return;
  const share = enabled.get('default_value');
  const of = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 };
  const denominator = of[share.get('denominator').oneOf(['HUNDRED', 'TEN_THOUSAND', 'MILLION']) ?? 'HUNDRED'];
  if ((share.get('numerator').number() ?? 0) >= denominator) return;
  report(
    context,
    'envoy_filter_partial',
    enabled,
    'the filter is asked about a share of the requests alone',
    'leave filter_enabled out; a policy is tried with policy.shadow',
  );
}

function checkAllowedHeaders(context: EnvoyContext, filter: EnvoyNode): void {
  const [allowed, disallowed] = [filter.get('allowed_headers'), filter.get('disallowed_headers')];
  for (const name of neededHeaders(context.config)) {
    const hidden = matchesHeader(disallowed, name)
      ? disallowed
      : allowed.exists && !matchesHeader(allowed, name)
        ? allowed
        : undefined;
    if (hidden === undefined) continue;
    report(
      context,
      'envoy_header_hidden',
      hidden,
      `${name} is kept from Countersign`,
      `let ${name} through, or leave the list out`,
    );
  }
}
