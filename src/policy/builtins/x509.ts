import type { RegoValue } from '../value.js';
import { BuiltinError, operand, type BuiltinContext, type Builtins } from './builtin.js';
import { decodeBase64 } from './go-base64.js';
import { nextPem } from './pem-blocks.js';
import { parsePrivateKeyAsJwk } from './private-keys.js';
import { describeCertificate, readCertificates, type Certificate } from './x509-certificate.js';
import { parseKeyPair } from './x509-key-pair.js';
import { parseCertificateRequest } from './x509-request.js';
import { readOptions, verifyChain, type VerifyOptions } from './x509-verify.js';

/** crypto.x509.parse_certificates: as Go's x509.Certificate, and the URIs as texts besides. */
function parseCertificates(_: unknown, certificates: RegoValue): RegoValue {
  return fromText(operand(certificates, 1, 'string')).map((certificate) =>
    describeCertificate(certificate, true),
  );
}

/** crypto.x509.parse_and_verify_certificates: root first, leaf last. */
function parseAndVerify(context: BuiltinContext, certificates: RegoValue): RegoValue {
  return verify(operand(certificates, 1, 'string'), true, context, () => ({}));
}

/** crypto.x509.parse_and_verify_certificates_with_options */
function parseAndVerifyWithOptions(
  context: BuiltinContext,
  certificates: RegoValue,
  options: RegoValue,
): RegoValue {
  const text = operand(certificates, 1, 'string');
  const given = operand(options, 2, 'object');
  return verify(text, false, context, () => readOptions(given));
}

function verify(
  text: string,
  withUriStrings: boolean,
  context: BuiltinContext,
  options: () => VerifyOptions,
): RegoValue {
  let certificates: Certificate[];
  try {
    certificates = fromText(text);
  } catch (error) {
    if (error instanceof BuiltinError) return [false, []];
    throw error;
  }
  const chain = verifyChain(certificates, { now: context.now, ...options() });
  if (chain === undefined) return [false, []];
  return [true, chain.map((certificate) => describeCertificate(certificate, withUriStrings))];
}

/** Certificates in PEM, or PEM or DER in base64. @throws BuiltinError */
function fromText(text: string): Certificate[] {
  if (text.startsWith('-----BEGIN')) return fromPem(text);
  const decoded = decodeBase64(text);
  return decoded.subarray(0, 10).toString('latin1') === '-----BEGIN'
    ? fromPem(decoded.toString('latin1'))
    : readCertificates(decoded);
}

function fromPem(text: string): Certificate[] {
  const blocks: Buffer[] = [];
  for (let next = nextPem(text); next.block !== undefined; next = nextPem(next.rest)) {
    if (next.block.label !== 'CERTIFICATE') throw new BuiltinError('PEM block is not a CERTIFICATE');
    blocks.push(next.block.bytes);
  }
  return readCertificates(Buffer.concat(blocks));
}

/** crypto.x509.* */
export const X509: Builtins = {
  'crypto.x509.parse_and_verify_certificates': parseAndVerify,
  'crypto.x509.parse_and_verify_certificates_with_options': parseAndVerifyWithOptions,
  'crypto.x509.parse_certificate_request': parseCertificateRequest,
  'crypto.x509.parse_certificates': parseCertificates,
  'crypto.x509.parse_keypair': parseKeyPair,
  'crypto.x509.parse_rsa_private_key': parsePrivateKeyAsJwk,
};
