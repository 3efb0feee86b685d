import { createPublicKey } from 'node:crypto';
import { RegoObject, type RegoValue } from '../value.js';
import { BuiltinError, operand } from './builtin.js';
import { decodeBase64 } from './go-base64.js';
import { nextPem } from './pem-blocks.js';
import { describePrivateKey, readPrivateKey } from './private-keys.js';
import { describeCertificate, readCertificates } from './x509-certificate.js';

/** crypto.x509.parse_keypair: a certificate chain and the private key of its first, as Go's tls.Certificate. */
export function parseKeyPair(_: unknown, certificate: RegoValue, key: RegoValue): RegoValue {
  const chain = blocksOf(operand(certificate, 1, 'string'))
    .filter(({ label }) => label === 'CERTIFICATE')
    .map(({ bytes }) => bytes);
  if (chain[0] === undefined) throw new BuiltinError('tls: failed to find any PEM data in certificate input');
  const found = blocksOf(operand(key, 1, 'string')).find(({ label }) => /(^| )PRIVATE KEY$/.test(label));
  const der = found?.bytes ?? keyOf(operand(key, 1, 'string'));
  if (der === undefined) throw new BuiltinError('tls: failed to find any PEM data in key input');
  const [leaf, ...rest] = readCertificates(chain[0]);
  if (leaf === undefined || rest.length > 0) throw new BuiltinError('x509: trailing data');
  const privateKey = readAnyPrivateKey(der);
  const { key: publicKey, algorithm } = leaf.publicKey;
  if (publicKey === undefined || algorithm === 2) throw new BuiltinError('tls: unknown public key algorithm');
  if (!createPublicKey(privateKey).equals(publicKey)) {
    throw new BuiltinError('tls: private key does not match public key');
  }
  return new RegoObject([
    ['Certificate', chain.map((bytes) => bytes.toString('base64'))],
    ['PrivateKey', describePrivateKey(privateKey)],
    ['SupportedSignatureAlgorithms', null],
    ['OCSPStaple', null],
    ['SignedCertificateTimestamps', null],
    ['Leaf', describeCertificate(leaf, false)],
  ]);
}

/** PEM, or PEM or DER in base64: DER counts as what it is wanted for. */
function decode(text: string): string {
  return text.startsWith('-----BEGIN ') ? text : decodeBase64(text).toString('latin1');
}

function blocksOf(text: string): { label: string; bytes: Buffer }[] {
  const decoded = decode(text);
  if (!decoded.startsWith('-----BEGIN'))
    return [{ label: 'CERTIFICATE', bytes: Buffer.from(decoded, 'latin1') }];
  const blocks = [];
  for (let next = nextPem(decoded); next.block !== undefined; next = nextPem(next.rest))
    blocks.push(next.block);
  return blocks;
}

function keyOf(text: string): Buffer | undefined {
  const decoded = decode(text);
  return decoded.startsWith('-----BEGIN') ? undefined : Buffer.from(decoded, 'latin1');
}

/** Go tries the formats one by one, whatever the label says. */
function readAnyPrivateKey(der: Buffer) {
  for (const format of ['pkcs1', 'pkcs8', 'sec1'] as const) {
    try {
      return readPrivateKey(der, format);
    } catch (error) {
      if (!(error instanceof BuiltinError)) throw error;
    }
  }
  throw new BuiltinError('tls: failed to parse private key');
}
