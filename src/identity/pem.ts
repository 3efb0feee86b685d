import { refuse, type Refusal } from '../errors/refusal.js';

const LABEL = 'CERTIFICATE';
// The body's class leaves out the dash, so there is one way only to match, and time stays linear.
const BLOCK = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*/y;

/**
 * The DER of every block of a text that holds CERTIFICATE blocks and white space, nothing else (RFC 7468,
 * strict about the alphabet and the padding, and without explanatory text).
 */
export function decodePem(text: string): Buffer[] | Refusal<'pem_malformed'> {
  const blocks: Buffer[] = [];
  const body = text.trimStart();
  for (BLOCK.lastIndex = 0; BLOCK.lastIndex < body.length;) {
    const at = BLOCK.lastIndex;
    const match = BLOCK.exec(body);
    if (match === null) return refuse('pem_malformed', `${ordinal(blocks.length)}: ${fault(body.slice(at))}`);
    const base64 = match[1]!.replace(/\s+/g, '');
    const der = decodeBase64(base64);
    if (der === undefined)
      return refuse('pem_malformed', `${ordinal(blocks.length)}: its body is not base64`);
    blocks.push(der);
  }
  return blocks.length > 0 ? blocks : refuse('pem_malformed', 'there is no PEM block');
}

/** Base64 with its padding (RFC 4648 section 4) and no bits left over; undefined for anything else. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function ordinal(before: number): string {
  return `PEM block ${before + 1}`;
}

/** Names a foreign block by its label only: what it holds may be a private key. */
function fault(rest: string): string {
  const label = /^-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(rest)?.[1];
  if (label === undefined) return 'text that is not a PEM block';
  return label === LABEL ? 'damaged, or its end is missing' : `it is a ${label}, not a ${LABEL}`;
}
