import fc from 'fast-check';
import { isUtf8 } from 'node:buffer';
import { sanitizedUtf8, wellFormed } from '../../src/envoy/text.js';

describe('bytes as text', () => {
  test.each([
    [[0x61, 0xff, 0x62], 'a!b'],
    [[0xc0, 0xaf], '!!'],
    [[0xe0, 0x80, 0x80], '!!!'],
    [[0xed, 0xa0, 0x80], '!!!'],
    [[0xf4, 0x90, 0x80, 0x80], '!!!!'],
    [[0xf0, 0x9f, 0x98, 0x80, 0xff], '😀!'],
    [[0xe2, 0x82], '!!'],
    [[0xef, 0xbb, 0xbf, 0xff], '\ufeff!'],
  ])('%j is %j', (bytes, text) => {
    expect(sanitizedUtf8(Buffer.from(bytes))).toBe(text);
  });

  test('keep all that is UTF-8, and become UTF-8 of the same length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.string({ unit: 'grapheme' }), (bytes, text) => {
        const input = Buffer.concat([Buffer.from(bytes), Buffer.from(text)]);
        const clean = Buffer.from(sanitizedUtf8(input));
        expect(clean).toHaveLength(input.length);
        expect(isUtf8(clean)).toBe(true);
        input.forEach((byte, at) => expect([byte, 0x21]).toContain(clean[at]));
        if (isUtf8(input)) expect(clean).toEqual(input);
        expect(sanitizedUtf8(Buffer.concat([Buffer.from([0xff]), Buffer.from(text)]))).toBe(`!${text}`);
      }),
      { numRuns: 1000 },
    );
  });

  test('take no longer when hardly any of them are UTF-8', () => {
    // A try at each byte took a second for this; the test's own limit is 30 s, so it takes twenty of them.
    const bytes = Buffer.alloc(20 * 1024 * 1024, 0xff);
    expect(sanitizedUtf8(bytes)).toHaveLength(bytes.length);
  });

  test('a text without unpaired surrogates can be written as UTF-8', () => {
    expect(wellFormed('a\ud800b\udc00😀')).toBe('a\ufffdb\ufffd😀');
  });
});
