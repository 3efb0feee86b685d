import { Budget } from '../limit.js';
import { type Flags, noFlags, pad } from './flags.js';
import { isMap, GoBigInt, GoFloat, GoInt, GoJsonNumber, type GoValue, typeName } from './values.js';
import {
  formatBigInt,
  formatBytes,
  formatCharacter,
  formatInteger,
  formatQuoted,
  formatQuotedCharacter,
  formatReal,
  formatString,
  formatUnicode,
} from './verbs.js';

/** Characters of one text: `%1000000d` asks for a million of them in nine. */
const LONGEST = 4 * 1024 * 1024;

/** A width or a precision beyond this is none to Go. */
const WIDEST = 1_000_000;

/**
 * Go's `fmt.Sprintf`.
 *
 * @throws LimitError for a text of more than 4 Mi characters
 */
export function sprintf(format: string, operands: readonly GoValue[]): string {
  return new Printer(format, operands).whole();
}

/** What `%v` makes of a value. */
export function sprint(value: GoValue): string {
  return printed(noFlags(), value, 'v');
}

class Printer {
  private out = '';
  private at = 0;
  private next = 0;
  private reordered = false;
  private goodIndex = true;
  private readonly budget = new Budget(LONGEST, `sprintf: a text of more than ${LONGEST} characters`);

  constructor(
    private readonly format: string,
    private readonly operands: readonly GoValue[],
  ) {}

  whole(): string {
    for (;;) {
      const percent = this.format.indexOf('%', this.at);
      this.write(this.format.slice(this.at, percent < 0 ? undefined : percent));
      if (percent < 0) break;
      this.at = percent + 1;
      this.directive();
    }
    if (!this.reordered && this.next < this.operands.length) this.extra();
    return this.out;
  }

  private write(text: string): void {
    this.budget.spend(text.length);
    this.out += text;
  }

  private directive(): void {
    const flags = this.flags();
    this.goodIndex = true;
    let indexed = this.index();
    const [width, starred] = this.number();
    if (starred) {
      indexed = false;
      if (width === undefined) this.write('%!(BADWIDTH)');
      if (width !== undefined && width < 0) Object.assign(flags, { minus: true, zero: false });
    }
    if (indexed && width !== undefined) this.goodIndex = false;
    flags.width = width === undefined ? undefined : Math.abs(width);
    if (this.format[this.at] === '.' && this.at + 1 < this.format.length)
      indexed = this.precision(flags, indexed);
    if (!indexed) this.index();
    this.verb(flags);
  }

  private flags(): Flags {
    const flags = noFlags();
    const names: Record<string, 'sharp' | 'zero' | 'plus' | 'minus' | 'space'> = {
      '#': 'sharp',
      '0': 'zero',
      '+': 'plus',
      '-': 'minus',
      ' ': 'space',
    };
    for (; ; this.at++) {
      const name = names[this.format[this.at] ?? ''];
      if (name === undefined) return flags;
      flags[name] = true;
    }
  }

  /** @returns whether an index still stands right before the verb */
  private precision(flags: Flags, indexed: boolean): boolean {
    this.at += 1;
    if (indexed) this.goodIndex = false;
    const found = this.index();
    const [precision, starred] = this.number();
    if (!starred) {
      flags.precision = precision ?? 0;
      return found;
    }
    if (precision !== undefined && precision >= 0) flags.precision = precision;
    else this.write('%!(BADPREC)');
    return false;
  }

  private verb(flags: Flags): void {
    const code = this.format.codePointAt(this.at);
    if (code === undefined) return this.write('%!(NOVERB)');
    const verb = String.fromCodePoint(code);
    this.at += verb.length;
    if (verb === '%') return this.write('%');
    if (!this.goodIndex) return this.write(`%!${verb}(BADINDEX)`);
    if (this.next >= this.operands.length) return this.write(`%!${verb}(MISSING)`);
    if (verb === 'v' || verb === 'w')
      Object.assign(flags, { sharpV: flags.sharp, sharp: false, plusV: flags.plus, plus: false });
    this.write(printed(flags, this.operands[this.next]!, verb));
    this.next += 1;
  }

  /** An explicit index, `[3]`. */
  private index(): boolean {
    if (this.format[this.at] !== '[') return false;
    this.reordered = true;
    const close = this.format.indexOf(']', this.at);
    // Go looks for no less than three characters.
    if (close < 0 || this.format.length - this.at < 3) {
      this.goodIndex = false;
      this.at += 1;
      return false;
    }
    const text = this.format.slice(this.at + 1, close);
    this.at = close + 1;
    const index = /^[0-9]{1,8}$/.test(text) && Number(text) <= 10 * WIDEST ? Number(text) - 1 : undefined;
    if (index !== undefined && index >= 0 && index < this.operands.length) {
      this.next = index;
      return true;
    }
    this.goodIndex = false;
    return index !== undefined;
  }

  /** A width or precision: a number as it stands, or with `*` from the operands. */
  private number(): [value: number | undefined, starred: boolean] {
    if (this.format[this.at] === '*') {
      this.at += 1;
      return [this.starred(), true];
    }
    let value: number | undefined;
    for (; ; this.at++) {
      const digit = this.format[this.at] ?? '';
      if (!/^[0-9]$/.test(digit)) return [value, false];
      if ((value ?? 0) > WIDEST) break;
      value = (value ?? 0) * 10 + Number(digit);
    }
    this.at = this.format.length;
    return [undefined, false];
  }

  private starred(): number | undefined {
    if (this.next >= this.operands.length) return undefined;
    const found = this.operands[this.next]!;
    this.next += 1;
    if (!(found instanceof GoInt) || found.value > WIDEST || found.value < -WIDEST) return undefined;
    return Number(found.value);
  }

  private extra(): void {
    const rest = this.operands.slice(this.next).map((value) => {
      const text = printed(noFlags(), value, 'v');
      return value === null ? text : `${typeName(value)}=${text}`;
    });
    this.write(`%!(EXTRA ${rest.join(', ')})`);
  }
}

function printed(flags: Flags, value: GoValue, verb: string): string {
  if (value === null) return verb === 'T' || verb === 'v' ? pad(flags, '<nil>') : wrong(flags, value, verb);
  if (verb === 'T') return formatString(flags, typeName(value));
  if (value instanceof GoBigInt) return formatBigInt(flags, value, verb);
  const text = fitting(flags, value, verb);
  return text ?? wrong(flags, value, verb);
}

/** Undefined where the verb does not fit the value. */
function fitting(flags: Flags, value: GoValue, verb: string): string | undefined {
  if (typeof value === 'boolean') return 'tv'.includes(verb) ? pad(flags, String(value)) : undefined;
  if (value instanceof GoInt) return integer(flags, value.value, verb);
  if (value instanceof GoFloat) return real(flags, value.value, verb);
  if (typeof value === 'string') return text(flags, value, verb);
  if (value instanceof GoJsonNumber) return text(flags, value.text, verb);
  return collection(flags, value as readonly GoValue[] | ReadonlyMap<string, GoValue>, verb);
}

function integer(flags: Flags, value: bigint, verb: string): string | undefined {
  switch (verb) {
    case 'v':
    case 'd':
    case 'b':
    case 'o':
    case 'O':
    case 'x':
    case 'X':
      return formatInteger(flags, value, verb);
    case 'c':
      return formatCharacter(flags, value);
    case 'q':
      return formatQuotedCharacter(flags, value);
    case 'U':
      return formatUnicode(flags, value);
    default:
      return undefined;
  }
}

function real(flags: Flags, value: number, verb: string): string | undefined {
  if (verb === 'v') return formatReal(flags, value, 'g', -1);
  if ('bgGxX'.includes(verb)) return formatReal(flags, value, verb, -1);
  if ('feEF'.includes(verb)) return formatReal(flags, value, verb === 'F' ? 'f' : verb, 6);
  return undefined;
}

function text(flags: Flags, value: string, verb: string): string | undefined {
  switch (verb) {
    case 'v':
      return flags.sharpV ? formatQuoted(flags, value) : formatString(flags, value);
    case 's':
      return formatString(flags, value);
    case 'x':
    case 'X':
      return formatBytes(flags, value, verb);
    case 'q':
      return formatQuoted(flags, value);
    default:
      return undefined;
  }
}

/** Maps and slices: the verb goes to what is in them. */
function collection(
  flags: Flags,
  value: readonly GoValue[] | ReadonlyMap<string, GoValue>,
  verb: string,
): string | undefined {
  if (verb === 'p') return undefined;
  if (isMap(value)) {
    const entries = Array.from(
      value,
      ([key, item]) => `${printed(flags, key, verb)}:${inner(flags, item, verb)}`,
    );
    return flags.sharpV ? `map[string]interface {}{${entries.join(', ')}}` : `map[${entries.join(' ')}]`;
  }
  const items = value.map((item) => inner(flags, item, verb));
  return flags.sharpV ? `[]interface {}{${items.join(', ')}}` : `[${items.join(' ')}]`;
}

/** Go syntax says what an interface that holds nothing is. */
function inner(flags: Flags, value: GoValue, verb: string): string {
  if (value !== null) return printed(flags, value, verb);
  return flags.sharpV ? 'interface {}(nil)' : '<nil>';
}

function wrong(flags: Flags, value: GoValue, verb: string): string {
  if (value === null) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeName(value)}=${printed(flags, value, 'v')})`;
}
