import { DerReader } from '../../src/asn1/der.js';
import type { Random } from '../support/random.js';

/** An element of DER; one whose content is DER itself holds its elements. */
export interface DerTree {
  readonly tag: number;
  readonly content: Buffer | readonly DerTree[];
  /** Bytes before the content: a BIT STRING begins with a count of unused bits. */
  readonly lead: Buffer;
}

const NOTHING = Buffer.alloc(0);
const OCTET_STRING = 0x04;
const BIT_STRING = 0x03;

/** Takes bytes apart as far as they are DER, those within strings too. */
export function readTree(der: Buffer): DerTree {
  const [tree] = elements(der)!;
  return tree!;
}

function elements(bytes: Buffer): DerTree[] | undefined {
  try {
    const reader = new DerReader(bytes);
    const found: DerTree[] = [];
    while (!reader.done) {
      const { tag, content } = reader.next();
      const lead = tag === BIT_STRING ? content.subarray(0, 1) : NOTHING;
      const inner = content.subarray(lead.length);
      const constructed = (tag & 0x20) !== 0 || tag === OCTET_STRING || tag === BIT_STRING;
      const children = constructed && inner.length > 0 ? elements(inner) : undefined;
      found.push({ tag, lead, content: children ?? inner });
    }
    return found;
  } catch {
    return undefined;
  }
}

/** Its bytes again; `bend` may give others for an element. */
export function writeTree(tree: DerTree, bend: (tree: DerTree, written: Buffer) => Buffer): Buffer {
  const { tag, lead, content } = tree;
  const inner = Buffer.isBuffer(content)
    ? content
    : Buffer.concat(content.map((child) => writeTree(child, bend)));
  return bend(tree, element(tag, Buffer.concat([lead, inner])));
}

function element(tag: number, content: Buffer): Buffer {
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const size = [content.length >> 16, (content.length >> 8) & 0xff, content.length & 0xff];
  const shortest = size.slice(size.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([tag, 0x80 | shortest.length, ...shortest]), content]);
}

export function countNodes({ content }: DerTree): number {
  return Buffer.isBuffer(content) ? 1 : content.reduce((sum, child) => sum + countNodes(child), 1);
}

const TAGS = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x30, 0x31, 0x80, 0x82, 0x86, 0xa0, 0xa3,
];
const CONTENTS = [
  '',
  '00',
  'ff',
  '0000',
  'ffffffffffffffff',
  '0102',
  '30',
  '3000',
  '0101ff',
  '2a8648ce3d0403',
];

/**
 * Bends one to three elements in ways that keep the rest well-formed, lengths included: what only looks at bytes
 * from outside would rarely get past the first length.
 */
export function mutateTree(tree: DerTree, others: readonly DerTree[], random: Random): Buffer {
  const targets = new Set(random.some(1, 3, () => random.below(countNodes(tree))));
  let at = 0;
  return writeTree(tree, (node, written) =>
    targets.has(at++) ? bend(node, written, others, random) : written,
  );
}

function bend(
  { tag, lead, content }: DerTree,
  written: Buffer,
  others: readonly DerTree[],
  random: Random,
): Buffer {
  const bytes = Buffer.isBuffer(content) ? content : written.subarray(written.length - innerLength(written));
  switch (random.below(10)) {
    case 0:
      return NOTHING;
    case 1:
      return Buffer.concat([written, written]);
    case 2:
      return element(random.of(TAGS), Buffer.concat([lead, bytes]));
    case 3:
      return element(tag, Buffer.concat([lead, Buffer.from(random.of(CONTENTS), 'hex')]));
    case 4: {
      const flipped = Buffer.from(written);
      flipped[random.below(flipped.length)]! ^= 1 << random.below(8);
      return flipped;
    }
    case 5:
      return written.subarray(0, random.below(written.length + 1));
    case 6:
      return writeTree(random.of(others), (_, same) => same);
    case 7:
      // A length in more bytes than it needs, or none at all.
      return Buffer.concat([Buffer.from([tag, random.of([0x80, 0x81, 0x82, 0x84, 0xff])]), bytes]);
    case 8:
      return Buffer.concat([written, element(random.of(TAGS), Buffer.from(random.of(CONTENTS), 'hex'))]);
    default:
      return element(
        tag,
        Buffer.concat([lead, bytes, Buffer.alloc(random.below(random.once(20) ? 5000 : 5), 0x61)]),
      );
  }
}

function innerLength(written: Buffer): number {
  return new DerReader(written).next().content.length;
}
