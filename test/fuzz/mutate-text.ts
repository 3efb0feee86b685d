import type { Random } from '../support/random.js';

/** How a text is bent: what it is made from, and pieces that mean something to whoever reads it. */
export interface Grammar {
  readonly samples: readonly string[];
  readonly pieces: readonly string[];
}

const ODD = [
  '\0',
  '\n',
  '\r',
  ' ',
  '\t',
  '\\',
  '"',
  '%',
  '\x7f',
  '\x80',
  'é',
  '\u2028',
  '\ud800',
  '𝒂',
  '\ufeff',
];

/** One of the samples, changed in one to four places. */
export function mutateText({ samples, pieces }: Grammar, random: Random): string {
  let text = random.of(samples);
  for (let left = 1 + random.below(4); left > 0; left--) text = change(text, samples, pieces, random);
  return text;
}

function change(text: string, samples: readonly string[], pieces: readonly string[], random: Random): string {
  const from = random.below(text.length + 1);
  const to = Math.min(text.length, from + random.below(8));
  const replace = (by: string) => text.slice(0, from) + by + text.slice(to);
  switch (random.below(9)) {
    case 0:
      return replace('');
    case 1:
      return replace(random.of(pieces));
    case 2:
      return replace(random.of(ODD));
    case 3:
      return text.slice(0, from) + random.of(pieces) + text.slice(from);
    case 4:
      return text.slice(0, from);
    case 5:
      // A part of it once more.
      return text.slice(0, to) + text.slice(from);
    case 6: {
      const other = random.of(samples);
      return text.slice(0, from) + other.slice(random.below(other.length + 1));
    }
    case 7:
      return replace(String.fromCharCode(random.below(random.once(4) ? 0x10000 : 0x80)));
    default:
      return replace(random.of(pieces).repeat(1 + random.below(random.once(50) ? 500 : 4)));
  }
}
