/** One block of a PEM text. */
export interface PemBlock {
  readonly label: string;
  readonly bytes: Buffer;
}

const BEGIN = '-----BEGIN ';
const END = '-----END ';
const DASHES = '-----';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * The first PEM block of a text (RFC 7468), as Go's pem.Decode finds it: text before it and damaged blocks are
 * passed over, headers are allowed and left aside. Of several BEGIN lines before an END, the last one counts,
 * so each part of the text is looked at once.
 *
 * @returns the block and what follows it; without a block, the text as it was
 */
export function nextPem(text: string): { block?: PemBlock; rest: string } {
  for (let from = 0; ;) {
    const end = lineStart(text, END, from);
    if (end < 0) return { rest: text };
    const block = readBlock(text, from, end);
    if (block !== undefined) return { block, rest: text.slice(nextLine(text, end)) };
    from = end + END.length;
  }
}

/** Where a line begins with this, from an offset on. */
function lineStart(text: string, prefix: string, from: number): number {
  let at = text.indexOf(prefix, from);
  while (at > 0 && text[at - 1] !== '\n') at = text.indexOf(prefix, at + 1);
  return at;
}

function nextLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end + 1;
}

function line(text: string, from: number): string {
  return text.slice(from, nextLine(text, from)).trimEnd();
}

function readBlock(text: string, from: number, end: number): PemBlock | undefined {
  const begin = text.slice(from, end).lastIndexOf(BEGIN) + from;
  if (begin < from || (begin > 0 && text[begin - 1] !== '\n')) return undefined;
  const head = line(text, begin);
  const label = head.slice(BEGIN.length, -DASHES.length);
  if (!head.endsWith(DASHES) || line(text, end) !== `${END}${label}${DASHES}`) return undefined;
  let at = nextLine(text, begin);
  while (at < end && line(text, at).includes(':')) at = nextLine(text, at);
  if (at > end) return undefined;
  const body = text.slice(at, end).replace(/[ \t\r\n]/g, '');
  return BASE64.test(body) ? { label, bytes: Buffer.from(body, 'base64') } : undefined;
}
