import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { readEnvoyCertificate, readEnvoyCertificates, sha256, type Certificate } from './certificate.js';
import type { ShownCertificate } from './certificate-verifier.js';
import { malformedXfcc, type XfccElement } from './xfcc-element.js';
import { isXfccJson, parseXfcc, type XfccFormat } from './xfcc.js';

/** What the trusted proxies saw. */
export interface ForwardedCertificates {
  /** The certificate of the peer of the farthest one. */
  readonly client: ShownCertificate;
  /** Those proxies themselves, as the next one saw each: the nearest, which Envoy alone saw, is not among them. */
  readonly hops: readonly ShownCertificate[];
}

export interface ForwardedOptions {
  /** How many trusted proxies append an element; the client's is so many from the end. */
  readonly trustedHops: number;
  readonly format: XfccFormat;
}

/**
 * Elements that may stand before those that count: each may bring a certificate that has to be read, in a third of a
 * millisecond, and whoever calls the farthest proxy can write as many as fit into a header.
 */
const MOST_BEFORE = 4;

export type ForwardedCode =
  'xfcc_missing' | 'xfcc_malformed' | 'xfcc_mismatch' | 'certificate_missing' | 'certificate_malformed';

/**
 * Reads the client's element of `x-forwarded-client-cert`, counted from the end, and those after it. Whatever stands
 * before it was the client's to write, and says nothing. Each proxy has to write `Cert`
 * (`set_current_client_cert_details: {cert: true}`), and for workloads below an intermediate `Chain` too. Everything
 * else in an element may only confirm `Cert`.
 *
 * @param lines every line of the header, in order
 */
export function readForwardedCertificates(
  lines: readonly string[],
  { trustedHops, format }: ForwardedOptions,
): ForwardedCertificates | Refusal<ForwardedCode> {
  const elements = lastElements(lines, trustedHops, format);
  if (isRefusal(elements)) return elements;
  const clientAt = elements.length - trustedHops;
  if (clientAt < 0) {
    return refuse(
      'xfcc_missing',
      `x-forwarded-client-cert has ${elements.length} elements, and ${trustedHops} proxies should have written one`,
    );
  }
  if (clientAt > MOST_BEFORE) {
    return malformedXfcc(`more than ${MOST_BEFORE} elements stand before those that count`);
  }
  if (elements.slice(0, clientAt).some(mayHaveInjected)) {
    return malformedXfcc('an earlier certificate has separators in its names, or cannot be read');
  }
  const [client, ...hops] = elements.slice(clientAt).map(readElement);
  if (isRefusal(client!)) return client;
  const broken = hops.find(isRefusal);
  if (broken !== undefined && isRefusal(broken)) return broken;
  return { client: client!, hops: hops as ShownCertificate[] };
}

type Element = XfccElement & { readonly json: boolean };

/** Those of the last line and, where they are not enough, of the lines before: no more of them is read. */
function lastElements(
  lines: readonly string[],
  atLeast: number,
  format: XfccFormat,
): Element[] | Refusal<ForwardedCode> {
  let elements: Element[] = [];
  for (let at = lines.length - 1; at >= 0 && elements.length < atLeast; at--) {
    const line = lines[at]!;
    const parsed = parseXfcc(line, format);
    if (isRefusal(parsed)) return parsed;
    const json = isXfccJson(line);
    elements = [...parsed.map((element) => ({ ...element, json })), ...elements];
  }
  return elements;
}

/**
 * Envoy writes names of a certificate without quotes even where they hold separators. One with a comma in
 * it makes the rest of the name look like an element of its own, with a `Cert` of the attacker's choice. The
 * certificate that did it stands before that, since Envoy writes Cert ahead of URI and DNS. JSON keeps names apart.
 */
function mayHaveInjected({ cert, json }: Element): boolean {
  if (cert === undefined || json) return false;
  const certificate = readEnvoyCertificate(cert);
  if (isRefusal(certificate)) return true;
  const { uris, dns } = certificate.fields.names;
  return [...uris, ...dns].some((name) => /[",;]/.test(name));
}

function readElement({ cert, hash, chain, uris }: XfccElement): ShownCertificate | Refusal<ForwardedCode> {
  if (cert === undefined) {
    return refuse('certificate_missing', 'an element of x-forwarded-client-cert that counts has no Cert');
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
