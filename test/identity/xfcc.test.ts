import fc from 'fast-check';
import { isRefusal } from '../../src/errors/refusal.js';
import { parseXfcc } from '../../src/identity/xfcc.js';

const malformed = expect.objectContaining({ refused: true, code: 'xfcc_malformed' });

describe('XFCC as text', () => {
  test('has elements by comma, pairs by semicolon and keys in any case', () => {
    expect(
      parseXfcc('by=spiffe://a/b;HASH=00;uri=spiffe://a/c;URI=spiffe://a/d, Cert="x";Chain="y"'),
    ).toEqual([
      { hash: '00', chain: [], uris: ['spiffe://a/c', 'spiffe://a/d'] },
      { cert: 'x', chain: ['y'], uris: [] },
    ]);
  });

  test('has separators and escaped quotes within quotes', () => {
    expect(parseXfcc(String.raw`Subject="CN=a,O=\"b;c\"\\";URI="x,y;z\"";DNS=e=f`)).toEqual([
      { chain: [], uris: ['x,y;z"'] },
    ]);
  });

  test('may have empty values', () => {
    expect(parseXfcc('By=;Subject="";URI=')).toEqual([{ chain: [], uris: [''] }]);
  });

  test.each(['Cert="a";Cert="b"', 'Hash=a;hash=b', 'Chain=a;Chain=b', 'Subject=a;SUBJECT=b'])(
    'is refused with a second value where there can be one: %s',
    (line) => expect(parseXfcc(line)).toEqual(malformed),
  );

  test.each([
    '',
    ' ',
    ',',
    'Hash=a,',
    ',Hash=a',
    'Hash=a;',
    'Hash=a;;By=b',
    'Hash',
    '=a',
    'Hash="a',
    'Hash="a"b',
    'Hash="a" ;By=b',
    'Hash=a"b"',
    'Hash="a\\"',
    'Has h=a',
    '{"hash":"a"}',
  ])('is refused where it is broken: %j', (line) => expect(parseXfcc(line)).toEqual(malformed));

  test('cannot be swallowed by a quote that a client left open', () => {
    const appended = 'By=spiffe://a/b;Hash=00;Cert="-----BEGIN";Subject="CN=a"';
    for (const open of ['X="', 'X="\\', 'Hash=a;X="\\"']) {
      expect(parseXfcc(`${open},${appended}`)).toEqual(malformed);
    }
  });

  test('is read in linear time', () => {
    for (const piece of [' ', '\\"', 'a', '"', ';', ',', 'A=']) {
      for (const start of ['', 'A=', 'A="']) {
        expect(parseXfcc(start + piece.repeat(250_000 / piece.length))).toBeDefined();
      }
    }
  });

  test('longer than 256 KiB is refused', () => {
    expect(parseXfcc(`Hash=${'a'.repeat(256 * 1024)}`)).toEqual(malformed);
  });
});

describe('XFCC as JSON', () => {
  test('is an array of elements', () => {
    const line =
      ' [{"hash":"y"},{"by":["b"],"cert":"x","chain":["c","d"],"uri":["u"],"dns":["n"],"subject":"s"}] ';
    expect(parseXfcc(line)).toEqual([
      { hash: 'y', chain: [], uris: [] },
      { cert: 'x', chain: ['c', 'd'], uris: ['u'] },
    ]);
  });

  test('trap 46: is parsed where text was expected, or refused, and its commas split nothing', () => {
    expect(parseXfcc('[{"uri":["spiffe://a/b,Cert=c;Hash=d"],"hash":"e"}]')).toEqual([
      { hash: 'e', chain: [], uris: ['spiffe://a/b,Cert=c;Hash=d'] },
    ]);
    for (const line of ['[{"hash":"a"}],[{"hash":"b"}]', '[{"hash":"a"}],Hash=b', 'Hash=b,[{"hash":"a"}]']) {
      expect(parseXfcc(line)).toEqual(malformed);
    }
  });

  test.each([
    '[]',
    '[',
    '["a"]',
    '[null]',
    '[[]]',
    '[1e400]',
    '[{"cert":["a"]}]',
    '[{"cert":null}]',
    '[{"hash":1}]',
    '[{"chain":"a"}]',
    '[{"uri":"a"}]',
    '[{"uri":[1]}]',
    '[{"cert":"a","cert":"b"}]',
  ])('is refused when it is %s', (line) => expect(parseXfcc(line)).toEqual(malformed));
});

describe('whatever the line', () => {
  const pieces = [
    'Cert=',
    'Hash=',
    'URI=',
    '"',
    '\\',
    ';',
    ',',
    '=',
    ' ',
    'a',
    '[',
    ']',
    '{',
    '}',
    '"hash":',
    'é',
  ];
  const anyLine = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom(...pieces)).map((all) => all.join('')),
    fc.json().map((json) => `[${json}]`),
  );

  test('XFCC is read or refused', () => {
    fc.assert(
      fc.property(anyLine, (line) => {
        const elements = parseXfcc(line);
        return isRefusal(elements) ? elements.code === 'xfcc_malformed' : elements.length > 0;
      }),
      { numRuns: 1000 },
    );
  });

  test('the values of a well-formed line come out as they went in', () => {
    const quoted = (value: string) => `"${value.replace(/["\\]/g, '\\$&')}"`;
    const value = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(
        fc.array(fc.record({ hash: value, cert: value, uris: fc.array(value) }), { minLength: 1 }),
        (all) => {
          const line = all.map(({ hash, cert, uris }) =>
            [`Hash=${quoted(hash)}`, `Cert=${quoted(cert)}`, ...uris.map((uri) => `URI=${quoted(uri)}`)].join(
              ';',
            ),
          );
          expect(parseXfcc(line.join(','))).toEqual(all.map((element) => ({ ...element, chain: [] })));
        },
      ),
    );
  });
});
