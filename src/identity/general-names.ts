import { DerError, DerReader, TAG, readAll, readOnly, type DerElement } from '../asn1/der.js';

/** The form of a GeneralName: the number of its context tag (RFC 5280 section 4.2.1.6). */
export const NAME_FORM = { dns: 2, directory: 4, uri: 6 } as const;

const TAGS = [0xa0, 0x81, 0x82, 0xa3, 0xa4, 0xa5, 0x86, 0x87, 0x88];

export interface AlternativeNames {
  /** Every uniformResourceIdentifier, byte for character, exactly as it stands in the certificate. */
  readonly uris: readonly string[];
  /** Every dNSName, likewise. */
  readonly dns: readonly string[];
  /** The forms of all names, these two included. */
  readonly forms: ReadonlySet<number>;
}

/** One base of a permitted or an excluded subtree. */
export interface Subtree {
  readonly form: number;
  /** Byte for character; only that of a URI is text. */
  readonly base: string;
}

export interface NameConstraints {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
}

/** @throws DerError */
export function readGeneralNames(value: Buffer): AlternativeNames {
  const names = readAll(readOnly(value, TAG.SEQUENCE)).map(readGeneralName);
  const of = (form: number) => names.filter((name) => name.form === form).map(({ base }) => base);
  return {
    uris: of(NAME_FORM.uri),
    dns: of(NAME_FORM.dns),
    forms: new Set(names.map(({ form }) => form)),
  };
}

/** RFC 5280 section 4.2.1.10. @throws DerError, for `minimum` and `maximum` too, which it does not allow */
export function readNameConstraints(value: Buffer): NameConstraints {
  const reader = new DerReader(readOnly(value, TAG.SEQUENCE));
  const permitted = reader.optional(0xa0);
  const excluded = reader.optional(0xa1);
  reader.end();
  return { permitted: readSubtrees(permitted), excluded: readSubtrees(excluded) };
}

function readSubtrees(content: Buffer | undefined): Subtree[] {
  if (content === undefined) return [];
  return readAll(content, TAG.SEQUENCE).map((subtree) => {
    const reader = new DerReader(subtree.content);
    const base = readGeneralName(reader.next());
    reader.end();
    return base;
  });
}

function readGeneralName({ tag, content }: DerElement): Subtree {
  const form = TAGS.indexOf(tag);
  if (form < 0) throw new DerError(`a name with tag ${tag}`);
  // Latin-1 maps every byte to one character, so nothing is lost and nothing is decoded away.
  return { form, base: content.toString('latin1') };
}
