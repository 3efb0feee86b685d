import { refuse, type Refusal } from '../errors/refusal.js';

/** What one hop wrote of its peer. These are claims; only what `cert` proves is ever believed. */
export interface XfccElement {
  /** Hex SHA-256 of the leaf's DER. */
  readonly hash?: string;
  /** The leaf, URL-encoded PEM. */
  readonly cert?: string;
  /** The leaf and its intermediates, URL-encoded PEM; each text holds one or more. */
  readonly chain: readonly string[];
  /** The leaf's URI names. */
  readonly uris: readonly string[];
}

export type XfccMalformed = Refusal<'xfcc_malformed'>;

export function malformedXfcc(what: string): XfccMalformed {
  return refuse('xfcc_malformed', `x-forwarded-client-cert: ${what}`);
}
