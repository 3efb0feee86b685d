import fc from 'fast-check';
import { exactNumber } from '../../src/json/exact.js';
import { RegoObject, RegoSet, type RegoNumber, type RegoValue } from '../../src/policy/value.js';

const integer = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(BigInt),
  fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }),
);

/** Texts of numbers as JSON writes them: small and huge, with many digits, with fractions and exponents. */
export const numberText: fc.Arbitrary<string> = fc
  .tuple(
    integer,
    fc.option(fc.stringMatching(/^[0-9]{1,30}$/), { nil: undefined }),
    fc.option(fc.integer({ min: -400, max: 400 }), { nil: undefined }),
  )
  .map(
    ([whole, fraction, exponent]) =>
      `${whole}${fraction === undefined ? '' : `.${fraction}`}${exponent === undefined ? '' : `e${exponent}`}`,
  );

export function number(text: string): RegoNumber {
  return exactNumber(text, /^-?[0-9]+$/.test(text));
}

/** Text of any Unicode, half a surrogate pair excepted, and with what needs an escape. */
export const unicode = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '0').toWellFormed()),
  fc.constantFrom(
    '',
    '"',
    '\\',
    '\\"',
    '\\\\',
    '\n\r\t\b\f',
    '\u0001\u001f\u007f',
    '\u{10ffff}\uffff',
    '{1, 2}',
  ),
);

/** Any value of Rego. */
export const regoValue: fc.Arbitrary<RegoValue> = fc.letrec<{ value: RegoValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom<RegoValue>(null, true, false, 0, 1, -1),
    numberText.map(number),
    unicode,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(tie('value'), { maxLength: 4 }).map((elements) => new RegoSet(elements)),
    fc
      .array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 })
      .map((entries) => new RegoObject(entries)),
  ),
})).value;
