import type { TestCertificate } from './ca.js';

export interface XfccPeer {
  readonly leaf: TestCertificate;
  readonly uris: readonly string[];
  readonly dns?: readonly string[];
  /** What followed the leaf in the handshake. */
  readonly intermediates?: readonly TestCertificate[];
}

/** One element as Envoy 1.40 writes it with `set_current_client_cert_details` all on: names without quotes. */
export function xfccText({ leaf, uris, dns = [], intermediates = [] }: XfccPeer): string {
  return [
    'By=spiffe://example.org/gateway',
    `Hash=${leaf.hash}`,
    `Cert="${leaf.encoded}"`,
    `Chain="${[leaf, ...intermediates].map(({ encoded }) => encoded).join('')}"`,
    'Subject="CN=x,O=a\\,b\\"c"',
    ...uris.map((uri) => `URI=${uri}`),
    ...dns.map((name) => `DNS=${name}`),
  ].join(';');
}

/** One element as Envoy 1.40 writes it with `format: JSON`: PEM without URL encoding. */
export function xfccObject({ leaf, uris, dns = [], intermediates = [] }: XfccPeer): object {
  return {
    by: ['spiffe://example.org/gateway'],
    hash: leaf.hash,
    cert: leaf.pem,
    chain: [leaf, ...intermediates].map(({ pem }) => pem),
    subject: 'CN=x,O=a\\,b\\"c',
    uri: uris,
    ...(dns.length > 0 && { dns }),
  };
}
