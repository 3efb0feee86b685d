import fc from 'fast-check';
import { BuiltinError } from '../../../src/policy/builtins/builtin.js';
import { HOST_BUILTINS } from '../../../src/policy/builtins/index.js';
import { call, callText, context } from './call.js';

/** 2006-01-02T15:04:05.012345678-07:00, the reference time with a fraction. */
const REFERENCE = 1136239445012345678n;

test('time.now_ns is the instant of the evaluation, exactly', () => {
  expect(HOST_BUILTINS['time.now_ns']!(context({ now: REFERENCE }))).toBe(REFERENCE);
});

describe('time.format', () => {
  test.each([
    ['UTC', '', '2006-01-02T22:04:05.012345678Z'],
    ['America/Denver', 'UnixDate', 'Mon Jan  2 15:04:05 MST 2006'],
    ['America/Denver', 'RFC1123Z', 'Mon, 02 Jan 2006 15:04:05 -0700'],
    ['Asia/Kolkata', 'RFC850', 'Tuesday, 03-Jan-06 03:34:05 IST'],
    ['America/Sao_Paulo', 'MST Z07:00 -07', '-02 -02:00 -02'],
    ['', 'January 1 06 3PM 03pm 4 5 __2 002 _2', 'January 1 06 10PM 10pm 4 5   2 002  2'],
    ['', '.000 .999 ,00 .9 .000000000', '.012 .012 ,01  .012345678'],
    ['', 'Z0700 -07:00:00 Z07', 'Z +00:00:00 Z'],
    ['', '_2006 Janet Monk 2nd', '_2006 Janet Monk 2nd'],
  ])('in %j as %j', (zone, layout, expected) => {
    expect(call('time.format', [REFERENCE, zone, layout])).toBe(expected);
  });

  test('knows summer, and the seconds of local mean time', () => {
    expect(call('time.format', [1_720_000_000_000_000_000n, 'Europe/Berlin', 'RFC822'])).toBe(
      '03 Jul 24 11:46 CEST',
    );
    expect(call('time.format', [-3_000_000_000_000_000_000n, 'Europe/Berlin', 'Z07:00:00 MST'])).toBe(
      '+00:53:28 LMT',
    );
  });

  test.each([
    '[]',
    '["x"]',
    '[1, 2]',
    '[1, "UTC", 3]',
    '[1, "Mars/Olympus"]',
    '[1, "europe/berlin"]',
    '1.5',
    '9223372036854775808',
    '"x"',
  ])('is undefined for %s', (operand) =>
    expect(() => callText('time.format', operand)).toThrow(BuiltinError),
  );
});

test('time.date, time.clock and time.weekday show what a clock there shows', () => {
  expect(call('time.date', REFERENCE)).toEqual([2006, 1, 2]);
  expect(call('time.date', [REFERENCE, 'Asia/Tokyo'])).toEqual([2006, 1, 3]);
  expect(call('time.clock', [REFERENCE, 'Asia/Kolkata'])).toEqual([3, 34, 5]);
  expect(call('time.weekday', [REFERENCE, 'Asia/Tokyo'])).toBe('Tuesday');
  expect(call('time.date', -1)).toEqual([1969, 12, 31]);
});

describe('time.add_date', () => {
  test.each([
    ['2024-01-31', 0, 1, 0, '2024-03-02'],
    ['2024-02-29', 1, 0, 0, '2025-03-01'],
    ['2024-03-01', 0, 0, -1, '2024-02-29'],
    ['2024-11-15', 0, -23, 0, '2022-12-15'],
  ])('%s and %i years, %i months, %i days', (from, years, months, days, to) => {
    const ns = call('time.parse_ns', '2006-01-02', from)!;
    expect(call('time.add_date', ns, years, months, days)).toEqual(call('time.parse_ns', '2006-01-02', to));
  });

  test('keeps the time of day over a change of clocks', () => {
    const before = call('time.parse_rfc3339_ns', '2024-03-30T12:00:00+01:00')!;
    const after = call('time.add_date', [before, 'Europe/Berlin'], 0, 0, 1);
    expect(after).toEqual(call('time.parse_rfc3339_ns', '2024-03-31T12:00:00+02:00'));
  });

  test.each([
    [0, 2262, 1, 1],
    [-9223372036854775808n, 0, 0, -1],
    [0, 9007199254740993n, 0, 0],
    [0, 0, 0, 1.5],
  ])('is undefined for %s and %s, %s, %s', (ns, years, months, days) => {
    expect(() => call('time.add_date', ns, years, months, days)).toThrow(BuiltinError);
  });
});

describe('time.diff', () => {
  const diff = (a: string, b: string) =>
    call('time.diff', call('time.parse_rfc3339_ns', a)!, call('time.parse_rfc3339_ns', b)!);

  test.each([
    ['2020-02-02T00:00:00Z', '2020-03-01T00:00:00Z', [0, 0, 28, 0, 0, 0]],
    ['2021-03-01T00:00:00Z', '2021-02-02T00:00:00Z', [0, 0, 27, 0, 0, 0]],
    ['2019-12-31T23:59:59Z', '2021-01-01T00:00:00Z', [1, 0, 0, 0, 0, 1]],
    ['2024-01-31T10:00:00Z', '2024-03-01T09:00:00Z', [0, 1, 0, 23, 0, 0]],
  ])('%s and %s', (a, b, expected) => expect(diff(a, b)).toEqual(expected));
});

describe('time.parse_ns', () => {
  test.each([
    ['2006-01-02', '1970-01-02', 86_400_000_000_000],
    ['RFC1123Z', 'Thu, 01 Jan 1970 01:00:00 +0100', 0],
    ['ANSIC', 'Thu Jan  1 00:00:01 1970', 1_000_000_000],
    ['3:04PM 2006', '12:01am 1970', undefined],
    ['3:04PM 2006', '12:01AM 1970', 60_000_000_000],
    ['2006 002 15:04:05', '1972 366 00:00:00', 94_608_000_000_000_000],
    ['06 __2', '70   1', 0],
    ['2006 15:04:05', '1970 00:00:00.25', 250_000_000],
    ['2006 15:04:05.000', '1970 00:00:00.25', undefined],
    ['2006 MST', '1970 GMT+2', -7_200_000_000_000],
    ['2006 MST', '1970 CET', 0],
    ['2006 Z0700', '1970 Z', 0],
    ['2006-01-02', '2023-02-29', undefined],
    ['2006', '1970x', undefined],
    ['2006 MST', '1970 ABCDE', undefined],
  ])('by %j %j', (layout, text, expected) => {
    if (expected === undefined) expect(() => call('time.parse_ns', layout, text)).toThrow(BuiltinError);
    else
      expect(call('time.parse_ns', layout, text)).toEqual(
        typeof expected === 'number' && !Number.isSafeInteger(expected) ? BigInt(expected) : expected,
      );
  });

  test('goes to the very edges of 64 bits and not beyond', () => {
    expect(call('time.parse_rfc3339_ns', '1677-09-21T00:12:43.145224192-00:00')).toBe(-9223372036854775808n);
    expect(call('time.parse_rfc3339_ns', '2262-04-12T00:47:16.854775807+01:00')).toBe(9223372036854775807n);
    for (const beyond of ['1677-09-21T00:12:43.145224191Z', '2262-04-11T23:47:16.854775808Z'])
      expect(() => call('time.parse_rfc3339_ns', beyond)).toThrow('time outside of valid range');
  });

  test('reads what time.format writes, to the nanosecond, in any zone', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(1n << 62n), max: 1n << 62n }),
        fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu', 'Pacific/Apia'),
        (ns, zone) => {
          const text = call('time.format', [ns, zone, '2006-01-02T15:04:05.999999999Z07:00:00'])!;
          const back = call('time.parse_ns', '2006-01-02T15:04:05.999999999Z07:00:00', text);
          expect(BigInt(back as bigint)).toBe(ns);
        },
      ),
    );
  });
});

describe('time.parse_duration_ns', () => {
  test.each([
    ['1h15m30.5s', 4_530_500_000_000],
    ['-1.5ms', -1_500_000],
    ['0', 0],
    ['1µs1us1ns', 2_001],
    ['1d', 86_400_000_000_000],
    ['1w2d3h', 788_400_000_000_000],
    ['0.5y', 15_768_000_000_000_000n],
    ['-2562047h47m16.854775808s', -9223372036854775808n],
  ])('%s', (text, expected) => expect(call('time.parse_duration_ns', text)).toBe(expected));

  test.each([
    '',
    '1',
    'h',
    '1x',
    '-',
    '.s',
    '1e3s',
    '1d2',
    '1..5d',
    '9223372036854775808ns',
    '293y',
    '1h ',
    `${'9'.repeat(100)}ns`,
  ])('%j is none', (text) => expect(() => call('time.parse_duration_ns', text)).toThrow(BuiltinError));
});
