import { isRefusal } from '../errors/refusal.js';
import { verifyChain } from '../identity/chain.js';
import { readShownChain } from '../identity/shown-chain.js';
import { readSvid } from '../identity/svid.js';
import type { TrustBundle } from '../identity/trust-bundle.js';

export interface ExpectedEndpoint {
  readonly spiffeId: string;
  /** Of the trust domain in that ID. */
  readonly bundle: TrustBundle;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Why a server is not the bundle endpoint that is expected; undefined when it is (SPIFFE Federation, section
 * 5.2.2.4): it has to show an X.509-SVID of that very ID, which chains to the bundle of the ID's own trust domain.
 *
 * @param chain what the server showed, in DER, the leaf first
 */
export function endpointFault(
  chain: readonly Buffer[],
  { spiffeId, bundle, now }: ExpectedEndpoint,
): string | undefined {
  const shown = readShownChain(chain);
  if (isRefusal(shown)) return shown.detail;
  const { leaf, intermediates } = shown;
  const id = readSvid(leaf.fields);
  if (isRefusal(id)) return id.detail;
  if (id.text !== spiffeId) return 'it has another SPIFFE ID';
  if (id.trustDomain !== bundle.trustDomain) return 'the bundle is that of another trust domain';
  const validity = verifyChain(leaf, intermediates, bundle, now);
  return isRefusal(validity) ? validity.detail : undefined;
}
