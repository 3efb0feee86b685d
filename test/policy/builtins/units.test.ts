import { LimitError } from '../../../src/policy/builtins/limit.js';
import { call, callText } from './call.js';

describe('units.parse', () => {
  test.each([
    ['10', '10'],
    ['10K', '10000'],
    ['10Ki', '10240'],
    ['10KI', '10240'],
    ['1.5Mi', '1572864'],
    ['500m', '0.5000000000'],
    ['1000m', '1.0000000000'],
    ['0.0005K', '0.5000000000'],
    ['1e3k', '1000000'],
    ['1e', '1000000000000000000'],
    ['1e-20', '0.0000000000'],
    ['"3G"', '3000000000'],
    ['-2k', '-2000'],
    ['9007199254740993', '9007199254740993'],
  ])('%s is %s', (text, expected) => {
    expect(callText('units.parse', JSON.stringify(text))).toBe(expected);
  });

  test.each([
    ['', 'no amount provided'],
    ['k', 'no amount provided'],
    ['1 k', 'spaces not allowed'],
    ['1.2.3k', 'could not parse amount to a number'],
    ['1kb', 'unit kb not recognized'],
    ['1e1234567', 'exponent too large'],
  ])('%p is none: %s', (text, message) => {
    expect(() => call('units.parse', text)).toThrow(message);
  });
});

describe('units.parse_bytes', () => {
  test.each([
    ['10', '10'],
    ['10kb', '10000'],
    ['10KiB', '10240'],
    ['1.5mi', '1572864'],
    ['0.0001', '0'],
    ['100.9', '100'],
    ['1e3', '1000'],
    // Rounded as OPA's 64 bits of precision round it.
    ['12345678901234567890123', '12345678901234567889920'],
  ])('%s is %s', (text, expected) => {
    expect(callText('units.parse_bytes', JSON.stringify(text))).toBe(expected);
  });

  test.each([
    ['', 'no byte amount provided'],
    ['1 kb', 'spaces not allowed'],
    ['1-2kb', 'could not parse byte amount to a number'],
    ['1zb', 'byte unit zb not recognized'],
    ['1e1234567', 'exponent too large'],
  ])('%p is none: %s', (text, message) => {
    expect(() => call('units.parse_bytes', text)).toThrow(message);
  });

  test('ends the evaluation for a number of which only the exponent is short', () => {
    expect(() => call('units.parse_bytes', '1e10001')).toThrow(LimitError);
    expect(() => call('units.parse', '1e10001')).toThrow(LimitError);
  });
});
