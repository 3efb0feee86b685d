export type Severity = 'error' | 'warning' | 'note';

interface Known {
  readonly severity: Severity;
  /** What follows from it where nobody mends it. */
  readonly follows: string;
}

/**
 * All that `countersign doctor` can find: the closed list of its codes, which docs/doctor.md is held to by a test.
 * `error`: requests are let through that should not be, or none is let through at all. `warning`: a lock is missing
 * that another one makes up for. `note`: worth knowing.
 */
export const CODES = {
  config_invalid: { severity: 'error', follows: 'The server does not start.' },
  config_bundle_unsigned: {
    severity: 'warning',
    follows: 'Whoever can change what the service answers writes the policy.',
  },
  config_clock_skew_wide: { severity: 'warning', follows: 'Tokens count long after they have expired.' },
  config_federated_all: {
    severity: 'warning',
    follows: 'Whoever configures the agent decides which trust domains are known.',
  },
  config_lifetime_long: { severity: 'warning', follows: 'A stolen token serves until it expires.' },
  config_listen_open: {
    severity: 'warning',
    follows:
      'Whoever reaches the address can ask for decisions, and what is asked, tokens included, goes in the clear.',
  },
  config_log_bodies: { severity: 'warning', follows: 'What callers send stands in the decision log.' },
  config_log_off: { severity: 'note', follows: 'Nobody can tell later who was let in, and why.' },
  config_stale_long: {
    severity: 'warning',
    follows: 'What a source has taken back while it cannot be reached goes on being trusted.',
  },
  config_token_off: { severity: 'note', follows: 'Decisions rest on the identity of the workload alone.' },
  config_xfcc_unauthenticated: {
    severity: 'warning',
    follows: 'Whoever reaches Envoy without a certificate can be anyone; the network alone keeps them out.',
  },
  policy_missing: { severity: 'error', follows: 'The server does not start.' },
  policy_service_unreachable: {
    severity: 'warning',
    follows: 'A restart finds no policy, unless one was kept.',
  },
  secret_unreadable: { severity: 'error', follows: 'What it is for fails.' },
  secret_exposed: { severity: 'warning', follows: 'Every user of this machine can read the secret.' },

  listen_svid_missing: {
    severity: 'error',
    follows:
      'The server cannot prove itself where it is configured to: to Envoys, or to an issuer that it asks.',
  },
  socket_not_listening: { severity: 'error', follows: 'Envoy gets no answer and denies every request.' },
  socket_not_serving: { severity: 'error', follows: 'Envoy denies, or takes the endpoint out of service.' },
  socket_not_countersign: {
    severity: 'error',
    follows: 'Nothing says that a request which is let through was decided.',
  },
  socket_forbidden: {
    severity: 'error',
    follows: 'Envoy cannot connect either, where it runs as this user.',
  },
  socket_exposed: {
    severity: 'warning',
    follows:
      'Every process on this machine can ask for decisions, or put its own socket in the place of this one.',
  },
  engine_check_failing: { severity: 'warning', follows: 'The last good state serves until it is too old.' },

  bundle_unavailable: { severity: 'error', follows: 'Workloads of this trust domain are refused.' },
  bundle_empty: {
    severity: 'error',
    follows: 'Workloads of this trust domain are refused: it has withdrawn its keys.',
  },
  bundle_expired: { severity: 'error', follows: 'Workloads of this trust domain are refused.' },
  bundle_authority_expired: { severity: 'warning', follows: 'Workloads that it vouches for are refused.' },
  bundle_authority_early: {
    severity: 'warning',
    follows: 'Workloads that it vouches for are refused until then; or a clock is wrong.',
  },
  bundle_expires_soon: { severity: 'warning', follows: 'Then workloads of this trust domain are refused.' },
  bundle_other_domain: { severity: 'error', follows: 'No workload of this trust domain chains to it.' },
  bundle_no_jwt_keys: {
    severity: 'error',
    follows: 'No token of a workload of this trust domain can be verified.',
  },
  bundle_exposed: { severity: 'warning', follows: 'Every user of this machine can add an authority.' },
  bundle_sequence_missing: {
    severity: 'note',
    follows: 'An old copy of the bundle cannot be told from a new one.',
  },
  workload_api_unreachable: { severity: 'error', follows: 'Trust domains with workload_api are refused.' },
  workload_api_no_svid: {
    severity: 'note',
    follows: 'This server cannot prove itself with an SVID of its own.',
  },
  svid_expired: {
    severity: 'error',
    follows: 'Nobody accepts the SVID: the agent does not rotate, or a clock is wrong.',
  },

  issuer_keys_unavailable: { severity: 'error', follows: "This issuer's tokens are refused (503)." },
  issuer_keys_unusable: {
    severity: 'error',
    follows: "This issuer's tokens are refused (token_key_unknown).",
  },
  issuer_introspection_unreachable: {
    severity: 'error',
    follows: 'Tokens that it is asked about are refused (503).',
  },
  clock_skew: {
    severity: 'error',
    follows: 'Tokens and certificates are refused that are good, or count that have expired.',
  },

  envoy_unreadable: { severity: 'error', follows: 'Nothing in the file was looked at.' },
  envoy_ext_authz_missing: {
    severity: 'error',
    follows: 'Countersign is not asked: every request is let through.',
  },
  envoy_ext_authz_absent_here: {
    severity: 'warning',
    follows: 'Requests that come this way reach the service undecided.',
  },
  envoy_http_service: {
    severity: 'error',
    follows: 'Countersign speaks gRPC alone: every request is denied.',
  },
  envoy_grpc_service_missing: {
    severity: 'error',
    follows: 'Envoy takes it, and aborts at the first request.',
  },
  envoy_google_grpc: {
    severity: 'note',
    follows: "Envoy's health checks, circuit breakers and transport security of clusters do not apply to it.",
  },
  envoy_transport_version: {
    severity: 'note',
    follows: 'Which version of the API is spoken is left to the release of Envoy.',
  },
  envoy_failure_mode_allow: {
    severity: 'error',
    follows: 'When Countersign gives no answer in time, every request is let through.',
  },
  envoy_failure_header_idle: {
    severity: 'note',
    follows: 'It does nothing: without an answer Envoy denies.',
  },
  envoy_peer_certificate_missing: {
    severity: 'error',
    follows: 'Countersign sees no certificate and denies every request (certificate_missing).',
  },
  envoy_timeout_missing: {
    severity: 'warning',
    follows: "Envoy's default of 0.2 s denies requests whose token needs a key fetched.",
  },
  envoy_timeout_long: {
    severity: 'warning',
    follows: 'A request can hang on a decision that does not come.',
  },
  envoy_status_on_error: {
    severity: 'error',
    follows: 'A request that was not decided is answered like one that succeeded.',
  },
  envoy_filter_partial: {
    severity: 'error',
    follows: 'A share of the requests reaches the service undecided.',
  },
  envoy_filter_disabled: {
    severity: 'warning',
    follows: 'Countersign is asked on those routes alone that switch the filter on.',
  },
  envoy_partial_body: {
    severity: 'warning',
    follows: 'Policies see the beginning of a long body (truncated_body), the service all of it.',
  },
  envoy_body_too_large: {
    severity: 'warning',
    follows: 'A body of that size makes a message that Countersign does not take: the request is denied.',
  },
  envoy_header_hidden: {
    severity: 'error',
    follows: 'Countersign does not see the header, and denies what rests on it.',
  },
  envoy_mutations_unchecked: {
    severity: 'warning',
    follows: 'A header that a policy sets and HTTP does not allow reaches the service.',
  },
  envoy_route_cache: {
    severity: 'warning',
    follows: 'Routes that match on a header see what the client sent, not what Countersign set or removed.',
  },
  envoy_filter_order: {
    severity: 'warning',
    follows: 'What reaches the service is not what was decided on.',
  },
  envoy_filter_unreached: { severity: 'error', follows: 'Envoy does not take the configuration.' },
  envoy_tcp_source: { severity: 'error', follows: 'Every connection is denied.' },
  envoy_answers_before: {
    severity: 'error',
    follows: 'It can answer a request, with what another caller was let see, before Countersign is asked.',
  },
  envoy_token_stripped: {
    severity: 'error',
    follows: 'The token is gone before Countersign looks for it (token_missing).',
  },
  envoy_upgrade_bypass: {
    severity: 'error',
    follows: 'Upgraded requests, as of WebSockets, reach the service undecided.',
  },
  envoy_route_disabled: { severity: 'warning', follows: 'Countersign is not asked on this route.' },
  envoy_route_headers_kept: {
    severity: 'warning',
    follows: "Where Countersign is not asked, a client's own x-countersign-… headers reach the service.",
  },
  envoy_route_misconfigured: {
    severity: 'error',
    follows: 'Countersign denies every request of this route (route_misconfigured).',
  },
  envoy_route_unmatched: {
    severity: 'error',
    follows: 'Envoy pays no heed to the settings: the route is as if they were not there.',
  },
  envoy_path_not_normalized: {
    severity: 'error',
    follows:
      'Envoy picks the route by /public/../admin as it stands, and the service gets another path than the policy saw.',
  },
  envoy_slashes_not_merged: {
    severity: 'warning',
    follows: 'A service that takes //admin for /admin gets another path than the route was picked by.',
  },
  envoy_escaped_slashes: {
    severity: 'warning',
    follows: 'A service that decodes %2F gets another path than the route was picked by.',
  },
  envoy_underscores: {
    severity: 'warning',
    follows:
      'A service that takes x_countersign_spiffe_id for x-countersign-spiffe-id believes what a client wrote.',
  },
  envoy_client_address: {
    severity: 'note',
    follows:
      "Envoy takes the client's own x-forwarded-for for true; a policy or a service must not rely on it.",
  },
  envoy_internal_addresses: {
    severity: 'warning',
    follows: 'Envoy takes strangers for internal, and their x-envoy-… headers for its own.',
  },
  envoy_xfcc_forwarded: {
    severity: 'error',
    follows: 'The service gets the x-forwarded-client-cert that the client wrote, whoever that is.',
  },
  envoy_xfcc_appended: {
    severity: 'warning',
    follows:
      "The service gets the client's own elements of x-forwarded-client-cert in front of the true one.",
  },
  envoy_xfcc_removed: {
    severity: 'error',
    follows:
      'No element of the client reaches Countersign, and every request is denied (xfcc_missing, xfcc_hop_untrusted).',
  },
  envoy_xfcc_hops: {
    severity: 'error',
    follows: 'The nearest proxy is taken for the client, and every request is denied (xfcc_hop_untrusted).',
  },
  envoy_xfcc_details: {
    severity: 'error',
    follows: 'An element without its certificate proves nothing, and every request is denied.',
  },
  envoy_xfcc_format: { severity: 'error', follows: 'The other form is refused (xfcc_malformed).' },
  envoy_listener_plain: {
    severity: 'error',
    follows: 'There is no peer certificate, and every request is denied (certificate_missing).',
  },
  envoy_client_certificate_optional: {
    severity: 'warning',
    follows: 'Clients without a certificate come as far as Countersign, which denies them.',
  },
  envoy_accept_untrusted: {
    severity: 'error',
    follows:
      'Envoy vouches for certificates that it did not verify, to the service and in its logs; Countersign alone is left.',
  },
  envoy_validation_missing: {
    severity: 'error',
    follows: 'Envoy takes any certificate at all; Countersign alone is left.',
  },
  envoy_expired_allowed: { severity: 'error', follows: 'Envoy takes certificates that have expired.' },
  envoy_tls_old: { severity: 'warning', follows: 'Connections can be made with a TLS that is broken.' },
  envoy_mtls_permissive: {
    severity: 'error',
    follows: 'Plain text is accepted, and such requests have no identity.',
  },
  envoy_cluster_missing: { severity: 'error', follows: 'Nobody is asked, and every request is denied.' },
  envoy_cluster_address: {
    severity: 'error',
    follows: 'Envoy asks where Countersign does not listen, and denies every request.',
  },
  envoy_cluster_port: {
    severity: 'warning',
    follows: 'Unless something maps the one to the other, Envoy gets no answer and denies.',
  },
  envoy_cluster_http1: {
    severity: 'error',
    follows: 'gRPC needs HTTP/2: no call comes through, and every request is denied.',
  },
  envoy_cluster_tls: {
    severity: 'error',
    follows: 'The two do not understand each other, and every request is denied.',
  },
  envoy_cluster_health: {
    severity: 'error',
    follows: 'The health check never succeeds, and every request is denied.',
  },
  envoy_cluster_limit: {
    severity: 'note',
    follows: 'Above 1024 decisions at once Envoy denies further requests without asking.',
  },
} as const satisfies Readonly<Record<string, Known>>;

export type Code = keyof typeof CODES;
