import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { readEnvoyCertificate, readEnvoyCertificates, sha256, type Certificate } from './certificate.js';
import { malformedXfcc, type XfccElement } from './xfcc-element.js';
import { parseXfcc } from './xfcc.js';

/** The certificate of the peer that the trusted hop saw, and what may lead from it to an authority. */
export interface ForwardedCertificate {
  readonly leaf: Certificate;
  readonly intermediates: readonly Certificate[];
}

export type ForwardedCode =
  'xfcc_missing' | 'xfcc_malformed' | 'xfcc_mismatch' | 'certificate_missing' | 'certificate_malformed';

/**
 * Reads the last element of the last `x-forwarded-client-cert` line: the one that the nearest hop wrote.
 * The hop has to be one that writes `Cert` (`set_current_client_cert_details: {cert: true}`), and for
 * workloads below an intermediate `Chain` too. Everything else in the element may only confirm `Cert`.
 */
export function readForwardedCertificate(
  lines: readonly string[],
): ForwardedCertificate | Refusal<ForwardedCode> {
  const line = lines.at(-1);
  if (line === undefined) return refuse('xfcc_missing', 'the request has no x-forwarded-client-cert');
  const elements = parseXfcc(line);
  if (isRefusal(elements)) return elements;
  if (elements.slice(0, -1).some(mayHaveInjected)) {
    return malformedXfcc('an earlier certificate has separators in its names, or cannot be read');
  }
  return readElement(elements.at(-1)!);
}

/**
 * Envoy writes names of a certificate without quotes even where they hold separators. One with a comma in
 * it makes the rest of the name look like an element of its own, with a `Cert` of the attacker's choice. The
 * certificate that did it stands before that, since Envoy writes Cert ahead of URI and DNS.
 */
function mayHaveInjected({ cert }: XfccElement): boolean {
  if (cert === undefined) return false;
  const certificate = readEnvoyCertificate(cert);
  if (isRefusal(certificate)) return true;
  const { uris, dns } = certificate.fields.names;
  return [...uris, ...dns].some((name) => /[",;]/.test(name));
}

function readElement({
  cert,
  hash,
  chain,
  uris,
}: XfccElement): ForwardedCertificate | Refusal<ForwardedCode> {
  if (cert === undefined) {
    return refuse('certificate_missing', 'the last element of x-forwarded-client-cert has no Cert');
  }
  const leaf = readEnvoyCertificate(cert);
  if (isRefusal(leaf)) return leaf;
  if (hash !== undefined && hash.toLowerCase() !== sha256(leaf).hex) {
    return refuse('xfcc_mismatch', 'Hash in x-forwarded-client-cert is not that of Cert');
  }
  if (uris.length > 0 && JSON.stringify(uris) !== JSON.stringify(leaf.fields.names.uris)) {
    return refuse('xfcc_mismatch', 'URI in x-forwarded-client-cert is not that of Cert');
  }
  const intermediates: Certificate[] = [];
  for (const text of chain) {
    const certificates = readEnvoyCertificates(text);
    if (isRefusal(certificates)) return malformedXfcc(`Chain: ${certificates.detail}`);
    // Envoy's Chain begins with the leaf.
    intermediates.push(...certificates.filter(({ der }) => !der.equals(leaf.der)));
  }
  return { leaf, intermediates };
}
