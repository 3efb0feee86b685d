/** What stands between a `%` and its verb (package fmt). */
export interface Flags {
  plus: boolean;
  minus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  /** `%+v`, which is no sign. */
  plusV: boolean;
  /** `%#v`, Go's own syntax. */
  sharpV: boolean;
  width: number | undefined;
  precision: number | undefined;
}

export function noFlags(): Flags {
  return {
    plus: false,
    minus: false,
    sharp: false,
    space: false,
    zero: false,
    plusV: false,
    sharpV: false,
    width: undefined,
    precision: undefined,
  };
}

export function runes(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Fills up to the width, in characters: zeros only on the left. */
export function pad(flags: Flags, text: string, zero = flags.zero): string {
  const missing = (flags.width ?? 0) - (flags.width === undefined ? 0 : runes(text));
  if (missing <= 0) return text;
  if (flags.minus) return text + ' '.repeat(missing);
  return (zero ? '0' : ' ').repeat(missing) + text;
}
