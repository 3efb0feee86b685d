import { EXTENSION, type CertificateFields } from './certificate-fields.js';

const HANDLED: readonly string[] = [
  EXTENSION.keyUsage,
  EXTENSION.subjectAltName,
  EXTENSION.basicConstraints,
  EXTENSION.nameConstraints,
];

/**
 * Why a certificate may not issue others (X509-SVID sections 4.1 and 4.3; RFC 5280 section 6.1.4), at any
 * time; undefined when it may. It is said of intermediates and of a bundle's authorities alike.
 */
export function issuerFault({ ca, keyUsage, critical }: CertificateFields): string | undefined {
  if (!ca) return 'it is not a CA';
  if (keyUsage === undefined) return 'it has no keyUsage';
  if (!keyUsage.keyCertSign) return 'its keyUsage lacks keyCertSign';
  const unknown = critical.find((oid) => !HANDLED.includes(oid));
  return unknown === undefined ? undefined : `its critical extension ${unknown} is not understood`;
}
