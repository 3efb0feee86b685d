import { fromInteger } from '../../number.js';
import { ExactNumber } from '../../../json/exact.js';
import { BuiltinError } from '../builtin.js';
import { decodeUtf8 } from '../utf8.js';

/** A scalar of YAML as go-yaml v3 takes it: the core schema of YAML 1.2, and some of 1.1's ways with numbers. */
export type Scalar =
  | { readonly kind: 'null' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'str'; readonly value: string };

const WORDS = new Map<string, Scalar>();
for (const word of ['', '~', 'null', 'Null', 'NULL']) WORDS.set(word, { kind: 'null' });
for (const word of ['true', 'True', 'TRUE']) WORDS.set(word, { kind: 'bool', value: true });
for (const word of ['false', 'False', 'FALSE']) WORDS.set(word, { kind: 'bool', value: false });
for (const word of ['.nan', '.NaN', '.NAN']) WORDS.set(word, { kind: 'float', value: NaN });
for (const word of ['.inf', '.Inf', '.INF']) {
  for (const sign of ['', '+']) WORDS.set(sign + word, { kind: 'float', value: Infinity });
  WORDS.set(`-${word}`, { kind: 'float', value: -Infinity });
}

/** A plain scalar, without a tag. */
export function resolve(text: string): Scalar {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  if (text.startsWith('.'))
    return float(text, /^\.[0-9]+([eE][+-]?[0-9]+)?$/) ?? { kind: 'str', value: text };
  if (!/^[+-]?[0-9]|^[+-]\./.test(text)) return { kind: 'str', value: text };
  const plain = text.replaceAll('_', '');
  return integer(plain) ?? float(plain, FLOAT) ?? { kind: 'str', value: text };
}

const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
const INTEGER = /^([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|0[bB]([01]+)|(0|[1-9][0-9]*))$/;

/** Of 64 bits, with a sign or without; a longer one is a float. */
function integer(text: string): Scalar | undefined {
  const match = INTEGER.exec(text);
  if (match === null || text.length > 70) return undefined;
  const [, sign, hex, octal, binary, decimal] = match;
  const magnitude = BigInt(hex ? `0x${hex}` : octal ? `0o${octal}` : binary ? `0b${binary}` : decimal!);
  const value = sign === '-' ? -magnitude : magnitude;
  const fits = BigInt.asIntN(64, value) === value || (sign === '' && BigInt.asUintN(64, value) === value);
  return fits ? { kind: 'int', value } : undefined;
}

function float(text: string, form: RegExp): Scalar | undefined {
  if (!form.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? { kind: 'float', value } : undefined;
}

const CORE = 'tag:yaml.org,2002:';

/** @param tag as the document has it, in full; empty and `!` are none */
export function tagged(text: string, plain: boolean, tag: string | undefined): Scalar {
  const untagged = tag === undefined || tag === '' || tag === '!';
  if (untagged) return plain ? resolve(text) : { kind: 'str', value: text };
  const found = resolve(text);
  switch (tag) {
    case `${CORE}int`:
    case `${CORE}bool`:
    case `${CORE}null`:
      if (found.kind === tag.slice(CORE.length)) return found;
      break;
    case `${CORE}float`:
      if (found.kind === 'int') return { kind: 'float', value: Number(found.value) };
      if (found.kind === 'float') return found;
      break;
    case `${CORE}binary`:
      return { kind: 'str', value: decodeUtf8(Buffer.from(text, 'base64')) };
    default:
      return { kind: 'str', value: text };
  }
  throw new BuiltinError(`yaml: cannot decode !!${found.kind} as a !!${tag.slice(CORE.length)}`);
}

/** What JSON has for it. */
export function scalarValue(scalar: Scalar): null | boolean | number | bigint | ExactNumber | string {
  switch (scalar.kind) {
    case 'null':
      return null;
    case 'int':
      return fromInteger(scalar.value);
    case 'float':
      if (!Number.isFinite(scalar.value)) throw new BuiltinError('json: unsupported value');
      return Object.is(scalar.value, -0) ? new ExactNumber('-0') : scalar.value;
    default:
      return scalar.value;
  }
}
