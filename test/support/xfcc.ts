import type { XfccOptions } from '../../src/identity/xfcc-hops.js';
import type { TestCertificate } from './ca.js';

/** One hop, which needs no certificate of its own: for tests that are about the client's element alone. */
export const ONE_HOP: XfccOptions = {
  trustedHops: 1,
  format: 'auto',
  from: new Set(),
  fromUnauthenticated: true,
};

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
