import { type RE2JS } from 're2js';
import { type Match } from './pattern.js';

/** A piece of a replacement: literal text, or the group whose text goes there; undefined for no such group. */
type Piece = string | { readonly group: number | undefined };

const NAME = /^[\p{L}\p{Nd}_]+/u;

/**
 * What replaces a match, as Go's Regexp.Expand has it: `$1`, `$name`, `${name}`, `$$`. A name goes as far as it
 * can: `$1x` is the group `1x`. A group that isn't there, or took no part, is empty; any other `$` is itself.
 */
export class Replacement {
  private readonly pieces: readonly Piece[];

  constructor(template: string, pattern: RE2JS) {
    this.pieces = pieces(template, pattern);
  }

  expand(text: string, match: Match): string {
    return this.pieces
      .map((piece) => {
        if (typeof piece === 'string') return piece;
        const [start, end] = match[piece.group ?? -1] ?? [-1, -1];
        return start < 0 ? '' : text.slice(start, end);
      })
      .join('');
  }
}

function pieces(template: string, pattern: RE2JS): Piece[] {
  const named = pattern.namedGroups() as Readonly<Record<string, number>>;
  const [first = '', ...parts] = template.split('$');
  const out: Piece[] = [first];
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (part === '' && i + 1 < parts.length) {
      out.push('$', parts[++i]!);
      continue;
    }
    const braced = part.startsWith('{');
    const name = NAME.exec(braced ? part.slice(1) : part)?.[0];
    if (name === undefined || (braced && part[name.length + 1] !== '}')) {
      out.push('$', part);
      continue;
    }
    out.push({ group: groupOf(name, named) }, part.slice(braced ? name.length + 2 : name.length));
  }
  return out;
}

/** A number has no leading zero; whatever else looks like a number is a name, which no group has. */
function groupOf(name: string, named: Readonly<Record<string, number>>): number | undefined {
  if (/^(?:0|[1-9][0-9]{0,8})$/.test(name)) return Number(name);
  return Object.hasOwn(named, name) ? named[name] : undefined;
}
