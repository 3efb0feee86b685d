import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { EXTENSION, type CertificateFields } from './certificate-fields.js';
import { parseWorkloadId, type SpiffeId } from './spiffe-id.js';

export type SvidCode =
  | 'spiffe_id_missing'
  | 'spiffe_id_ambiguous'
  | 'spiffe_id_invalid'
  | 'certificate_usage_invalid'
  | 'certificate_untrusted';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

const HANDLED: readonly string[] = [
  EXTENSION.keyUsage,
  EXTENSION.subjectAltName,
  EXTENSION.basicConstraints,
  EXTENSION.extendedKeyUsage,
];

/**
 * Applies X509-SVID's rules for a leaf (sections 2, 4 and 5.2) and gives the workload that it names. Who
 * issued it, and when it is valid, is verifyChain's to say.
 */
export function readSvid(leaf: CertificateFields): SpiffeId | Refusal<SvidCode> {
  const [uri, ...others] = leaf.names.uris;
  if (uri === undefined) return refuse('spiffe_id_missing', 'the certificate has no URI among its names');
  if (others.length > 0) {
    return refuse('spiffe_id_ambiguous', `the certificate has ${others.length + 1} URIs among its names`);
  }
  const id = parseWorkloadId(uri);
  if (isRefusal(id)) return id;
  const fault = usageFault(leaf);
  if (fault !== undefined) return refuse('certificate_usage_invalid', `not an X509-SVID: ${fault}`);
  const unknown = leaf.critical.find((oid) => !HANDLED.includes(oid));
  if (unknown !== undefined) {
    return refuse(
      'certificate_untrusted',
      `the certificate's critical extension ${unknown} is not understood`,
    );
  }
  return id;
}

function usageFault({ ca, keyUsage, extendedKeyUsage }: CertificateFields): string | undefined {
  if (ca) return 'it is a CA';
  if (keyUsage === undefined) return 'it has no keyUsage';
  if (!keyUsage.critical) return 'its keyUsage is not critical';
  if (!keyUsage.digitalSignature) return 'its keyUsage lacks digitalSignature';
  if (keyUsage.keyCertSign) return 'its keyUsage has keyCertSign';
  if (keyUsage.crlSign) return 'its keyUsage has cRLSign';
  if (extendedKeyUsage === undefined) return undefined;
  if (!extendedKeyUsage.includes(SERVER_AUTH)) return 'its extKeyUsage lacks serverAuth';
  if (!extendedKeyUsage.includes(CLIENT_AUTH)) return 'its extKeyUsage lacks clientAuth';
  return undefined;
}
