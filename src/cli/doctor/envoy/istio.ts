import { needsCertificate, report, type EnvoyContext } from './context.js';
import type { EnvoyNode } from './document.js';
import { checkHttpExtAuthz, HTTP_EXT_AUTHZ } from './ext-authz.js';

/**
 * Istio's side, as far as it is written in manifests: the mesh configuration's extension providers, EnvoyFilters that
 * patch the ext_authz filter, and what mTLS is asked for.
 *
 * @returns whether Countersign is asked by any of them
 */
export function checkIstio(context: EnvoyContext): boolean {
  const { manifests } = context.pieces;
  const patches = manifests.filter(isKind('EnvoyFilter')).flatMap(extAuthzPatches);
  for (const { filter, merged } of patches) checkHttpExtAuthz(context, filter, merged);
  for (const authentication of manifests.filter(isKind('PeerAuthentication')))
    checkMtls(context, authentication.get('spec'));
  const providers = manifests.flatMap(providersOf);
  const sends = patches.some(({ filter }) => filter.get('include_peer_certificate').isTrue());
  for (const provider of providers) checkProvider(context, provider, sends);
  return providers.length > 0 || patches.some(({ merged }) => !merged);
}

/** A manifest of Kubernetes, or Istio's mesh configuration: nothing else is known here. */
export function isManifest(document: EnvoyNode): boolean {
  return document.get('kind').exists || providersOf(document).length > 0;
}

function isKind(kind: string): (document: EnvoyNode) => boolean {
  return (document) => document.get('kind').text() === kind;
}

function extAuthzPatches(filter: EnvoyNode): { readonly filter: EnvoyNode; readonly merged: boolean }[] {
  return filter
    .get('spec', 'configPatches')
    .items()
    .map((entry) => entry.get('patch'))
    .filter((patch) => patch.get('value', 'typed_config').type === HTTP_EXT_AUTHZ)
    .map((patch) => ({
      filter: patch.get('value', 'typed_config').message,
      merged: patch.get('operation').text() === 'MERGE',
    }));
}

function providersOf(document: EnvoyNode): readonly EnvoyNode[] {
  return [document, document.get('meshConfig'), document.get('spec', 'meshConfig')]
    .flatMap((mesh) => mesh.get('extensionProviders').items())
    .filter((provider) =>
      ['envoyExtAuthzGrpc', 'envoyExtAuthzHttp'].some((kind) => provider.get(kind).exists),
    );
}

function checkProvider(context: EnvoyContext, provider: EnvoyNode, sendsCertificate: boolean): void {
  const http = provider.get('envoyExtAuthzHttp');
  if (http.exists) {
    report(
      context,
      'envoy_http_service',
      http,
      'the provider is asked over HTTP',
      'write envoyExtAuthzGrpc in its place',
    );
    return;
  }
  const grpc = provider.get('envoyExtAuthzGrpc');
  const open = grpc.get('failOpen');
  if (open.isTrue())
    report(
      context,
      'envoy_failure_mode_allow',
      open,
      'no answer lets a request through',
      'set failOpen: false',
    );
  const timeout = grpc.get('timeout');
  const milliseconds = timeout.milliseconds();
  if (milliseconds === undefined || milliseconds > 5_000) {
    const wrong =
      milliseconds === undefined
        ? "Istio's default is ten minutes"
        : `the provider is waited for ${milliseconds / 1000} s`;
    report(context, 'envoy_timeout_long', timeout, wrong, 'set timeout: 0.5s');
  }
  const partial = grpc.get('includeRequestBodyInCheck', 'allowPartialMessage');
  if (partial.isTrue()) {
    report(
      context,
      'envoy_partial_body',
      partial,
      'a body that is longer than maxRequestBytes is sent in part',
      'set allowPartialMessage: false, or let policies refuse input.truncated_body',
    );
  }
  if (!needsCertificate(context) || sendsCertificate) return;
  report(
    context,
    'envoy_peer_certificate_missing',
    grpc,
    'nothing among the files lets Envoy send the peer certificate, for which the provider has no setting',
    'add the EnvoyFilter of examples/istio/authorization-policy.yaml, and give it here too (--envoy)',
  );
}

function checkMtls(context: EnvoyContext, spec: EnvoyNode): void {
  const ports = spec
    .get('portLevelMtls')
    .pairs()
    .map(([, port]) => port.get('mode'));
  for (const mode of [spec.get('mtls', 'mode'), ...ports]) {
    if (!['PERMISSIVE', 'DISABLE'].includes(mode.text() ?? '')) continue;
    report(context, 'envoy_mtls_permissive', mode, `mTLS is ${mode.text()}`, 'set mode: STRICT');
  }
}
