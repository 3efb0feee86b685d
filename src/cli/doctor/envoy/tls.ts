import { needsCertificate, report, type EnvoyContext } from './context.js';
import type { EnvoyNode } from './document.js';
import type { Chain } from './pieces.js';

const DOWNSTREAM_TLS = 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';

/** What of a validation context says whom to trust. */
const ANCHORS = [
  'trusted_ca',
  'ca_certificate_provider_instance',
  'verify_certificate_spki',
  'verify_certificate_hash',
  'custom_validator_config',
];

/** How clients prove themselves to the listener. */
export function checkTls(context: EnvoyContext, { chain }: Chain): void {
  const tls = tlsOf(chain.get('transport_socket', 'typed_config'));
  if (tls === undefined) {
    if (!needsCertificate(context)) return;
    report(
      context,
      'envoy_listener_plain',
      chain.get('transport_socket'),
      'the listener takes connections without TLS, while identity comes from the certificate',
      'add envoy.transport_sockets.tls with require_client_certificate: true and the roots of the mesh',
    );
    return;
  }
  const common = tls.get('common_tls_context');
  const minimum = common.get('tls_params', 'tls_minimum_protocol_version');
  const version = minimum.oneOf(['TLS_AUTO', 'TLSv1_0', 'TLSv1_1', 'TLSv1_2', 'TLSv1_3']);
  if (version === 'TLSv1_0' || version === 'TLSv1_1') {
    report(
      context,
      'envoy_tls_old',
      minimum,
      `${version.replace('_', '.')} is accepted`,
      'write TLSv1_2, or leave it out',
    );
  }
  checkValidation(context, common);
  if (!needsCertificate(context)) return;
  const required = tls.get('require_client_certificate');
  if (!required.isTrue()) {
    report(
      context,
      'envoy_client_certificate_optional',
      required,
      'clients need no certificate',
      'set require_client_certificate: true',
    );
  }
}

function checkValidation(context: EnvoyContext, common: EnvoyNode): void {
  const combined = common.get('combined_validation_context');
  const contexts = [common.get('validation_context'), combined.get('default_validation_context')];
  for (const validation of contexts) {
    const trust = validation.get('trust_chain_verification');
    if (trust.oneOf(['VERIFY_TRUST_CHAIN', 'ACCEPT_UNTRUSTED']) === 'ACCEPT_UNTRUSTED') {
      report(
        context,
        'envoy_accept_untrusted',
        trust,
        'certificates that chain to no root are accepted',
        'leave trust_chain_verification out, and give the roots of the mesh in trusted_ca',
      );
    }
    const expired = validation.get('allow_expired_certificate');
    if (expired.isTrue()) {
      report(
        context,
        'envoy_expired_allowed',
        expired,
        'expired certificates are accepted',
        'leave allow_expired_certificate out',
      );
    }
  }
  const elsewhere = [
    common.get('validation_context_sds_secret_config'),
    common.get('validation_context_certificate_provider_instance'),
    combined.get('validation_context_sds_secret_config'),
    combined.get('validation_context_certificate_provider_instance'),
  ].some(({ exists }) => exists);
  const anchored = contexts.some((validation) => ANCHORS.some((name) => validation.get(name).exists));
  if (elsewhere || anchored || !needsCertificate(context)) return;
  report(
    context,
    'envoy_validation_missing',
    common.get('validation_context'),
    'nothing says which client certificates are trusted',
    'give the roots of the mesh in validation_context.trusted_ca, or by SDS',
  );
}

/** The TLS of a transport socket, also inside of others (QUIC, PROXY protocol, tap). */
function tlsOf(socket: EnvoyNode): EnvoyNode | undefined {
  if (!socket.exists) return undefined;
  const { message } = socket;
  if (socket.type === DOWNSTREAM_TLS) return message;
  if (message.get('downstream_tls_context').exists) return message.get('downstream_tls_context');
  return tlsOf(message.get('transport_socket', 'typed_config'));
}
