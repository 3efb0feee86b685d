import fc from 'fast-check';
import { BuiltinError } from '../../../src/policy/builtins/builtin.js';
import { LimitError } from '../../../src/policy/builtins/limit.js';
import { parseValue } from '../../../src/policy/text.js';
import { call, callText } from './call.js';

const TEXT = fc.string({ unit: 'grapheme' });

describe('hex', () => {
  test('decodes what it encodes', () => {
    fc.assert(fc.property(TEXT, (text) => call('hex.decode', call('hex.encode', text)!) === text));
  });

  test('says which byte is none of hex, and that the length is odd', () => {
    expect(() => call('hex.decode', 'fghijkl')).toThrow("encoding/hex: invalid byte: U+0067 'g'");
    expect(() => call('hex.decode', 'é')).toThrow("invalid byte: U+00C3 'Ã'");
    expect(() => call('hex.decode', '012')).toThrow('odd length hex string');
  });

  test('puts one U+FFFD for each byte that is no UTF-8, as Go does in JSON', () => {
    expect(call('hex.decode', 'e282')).toBe('\ufffd\ufffd');
    expect(call('hex.decode', '41ff80c3a9')).toBe('A\ufffd\ufffdé');
    expect(call('hex.decode', 'eda080')).toBe('\ufffd\ufffd\ufffd');
  });
});

describe('base64url.encode_no_pad', () => {
  test.each([
    ['hello', 'aGVsbG8'],
    ['??>', 'Pz8-'],
    ['', ''],
  ])('of %p is %p', (text, expected) => {
    expect(call('base64url.encode_no_pad', text)).toBe(expected);
  });
});

describe('urlquery', () => {
  test('decodes what it encodes', () => {
    fc.assert(fc.property(TEXT, (text) => call('urlquery.decode', call('urlquery.encode', text)!) === text));
  });

  test('encodes all but letters, digits and -_.~', () => {
    expect(call('urlquery.encode', "a=b+1 é!'()*~-_.")).toBe('a%3Db%2B1+%C3%A9%21%27%28%29%2A~-_.');
  });

  test('names an escape that is none', () => {
    expect(() => call('urlquery.decode', 'a%zzb')).toThrow('invalid URL escape "%zz"');
    expect(() => call('urlquery.decode', '%4')).toThrow('invalid URL escape "%4"');
  });

  test.each([
    ['{"b": "x y", "a": ["2", "1"]}', '"a=2&a=1&b=x+y"'],
    ['{"a": {"o", "n"}, "c": []}', '"a=n&a=o"'],
    ['{}', '""'],
  ])('writes %s', (object, expected) => {
    expect(callText('urlquery.encode_object', object)).toBe(expected);
  });

  test('writes strings alone', () => {
    expect(() => callText('urlquery.encode_object', '{"a": 1}')).toThrow('values must be string');
    expect(() => callText('urlquery.encode_object', '[]')).toThrow('operand 1 must be object but got array');
  });

  test.each([
    ['a=1&b=&a=2&c&&=d', '{"": ["d"], "a": ["1", "2"], "b": [""], "c": [""]}'],
    ['a%20b=c+d', '{"a b": ["c d"]}'],
    ['', '{}'],
    ['__proto__=1', '{"__proto__": ["1"]}'],
  ])('reads %p', (text, expected) => {
    expect(callText('urlquery.decode_object', JSON.stringify(text))).toBe(expected);
  });

  test('reads no semicolon, and no more than 10,000 parameters', () => {
    expect(() => call('urlquery.decode_object', 'a;b')).toThrow('invalid semicolon separator in query');
    expect(() => call('urlquery.decode_object', '&'.repeat(10_000))).toThrow('exceeded limit');
  });

  test('gives back the object that was written', () => {
    const names = fc.dictionary(TEXT, fc.array(TEXT, { minLength: 1, maxLength: 3 }), { maxKeys: 5 });
    fc.assert(
      fc.property(names, (members) => {
        const object = JSON.stringify(members);
        const query = callText('urlquery.encode_object', object);
        expect(callText('urlquery.decode_object', query)).toBe(callText('json.patch', object, '[]'));
      }),
    );
  });
});

describe('json.marshal_with_options', () => {
  test.each([
    ['[1, {"b": [], "a": {}}]', '{}', '[1,{"a":{},"b":[]}]'],
    ['[1, {"a": 2}]', '{"indent": "  "}', '[\n  1,\n  {\n    "a": 2\n  }\n]'],
    ['[1]', '{"pretty": true}', '[\n\t1\n]'],
    ['{"a": 1}', '{"prefix": "> "}', '> {\n> \t"a": 1\n> }'],
    ['[]', '{"indent": "    ", "prefix": "---"}', '---[]'],
    ['[1]', '{"pretty": false, "prefix": "NO"}', '[1]'],
    ['{1: {2}, "a": 1.50}', '{}', '{"1":[2],"a":1.50}'],
    ['"<&>\\u2028é"', '{}', '"\\u003c\\u0026\\u003e\\u2028é"'],
  ])('of %s with %s', (value, options, expected) => {
    expect(callText('json.marshal_with_options', value, options)).toBe(
      callText('sprintf', '"%s"', JSON.stringify([expected])),
    );
  });

  test('takes its own options alone, each of its own type', () => {
    expect(() => callText('json.marshal_with_options', '1', '{"x": 1}')).toThrow(
      'object contained unknown key "x"',
    );
    expect(() => callText('json.marshal_with_options', '1', '{"indent": 1}')).toThrow(
      'failed cast to string',
    );
    expect(() => callText('json.marshal_with_options', '1', '{"pretty": 1}')).toThrow('failed cast to bool');
  });

  test('ends the evaluation for an indentation that outgrows all else', () => {
    const indent = JSON.stringify({ indent: ' '.repeat(10_000) });
    expect(() =>
      callText('json.marshal_with_options', `[${Array(1000).fill('1').join(',')}]`, indent),
    ).toThrow('a text of more than');
  });
});

describe('base64', () => {
  test('decodes text, which the bytes may not be', () => {
    expect(call('base64.decode', 'w6k=')).toBe('é');
    expect(call('base64.decode', 'd+\r\nk=')).toBe('w\ufffd');
    expect(call('base64.decode', '')).toBe('');
    expect(call('base64url.decode', 'Pz8-')).toBe('??>');
    expect(call('base64url.decode', 'YQ')).toBe('a');
    expect(call('base64url.decode', 'YQ==')).toBe('a');
  });

  test.each(['YQ', 'YQ=', 'Pz8-', '%%', 'YQ==YQ=='])('is not %j', (text) => {
    expect(() => call('base64.decode', text)).toThrow(BuiltinError);
    expect(call('base64.is_valid', text)).toBe(false);
  });

  test('is valid as it is decoded, and nothing but a text is', () => {
    expect(call('base64.is_valid', 'YQ==')).toBe(true);
    expect(call('base64.is_valid', 1)).toBe(false);
    expect(() => call('base64url.decode', 'Y')).toThrow(BuiltinError);
  });
});

describe('JSON', () => {
  test.each([
    ['{"b": 1, "a": [1.0, 1e3, null]}', '{"a":[1.0,1e3,null],"b":1}'],
    [' [18446744073709551617] ', '[18446744073709551617]'],
    ['{"a": 1, "a": 2}', '{"a":2}'],
    ['"<&>"', '"\\u003c\\u0026\\u003e"'],
    ['{"__proto__": 1}', '{"__proto__":1}'],
    ['1e30000', '1e30000'],
    ['0e999999', '0e999999'],
  ])('of %s is read and written as %s', (text, expected) => {
    expect(call('json.marshal', call('json.unmarshal', text)!)).toBe(expected);
  });

  test('is written of sets and of keys that are no texts', () => {
    expect(call('json.marshal', parseValue('{1: {"b", "a"}, [2]: set()}'))).toBe('{"1":["a","b"],"[2]":[]}');
  });

  test.each(['', '{', '2024-02-29', '{1, 2}', 'set()', '.5', '01', '[1] x', '"\n"'])('is not %j', (text) => {
    expect(call('json.is_valid', text)).toBe(false);
    expect(() => call('json.unmarshal', text)).toThrow(BuiltinError);
  });

  test.each(['1e40000', '[{"a": -1e-40000}]', '1e99999999999999999999'])(
    'may be %s, but is not read: OPA has a bound for exponents',
    (text) => {
      expect(call('json.is_valid', text)).toBe(true);
      expect(() => call('json.unmarshal', text)).toThrow('number too big');
    },
  );

  test('nests as deep as Go lets it', () => {
    expect(call('json.is_valid', '['.repeat(1000) + ']'.repeat(1000))).toBe(true);
    expect(call('json.is_valid', 1)).toBe(false);
  });

  test('ends the evaluation where our own stack does, and never lets pass what Go does not', () => {
    for (const depth of [10_001, 1_000_000]) {
      const outcome = () => call('json.is_valid', '['.repeat(depth) + ']'.repeat(depth));
      try {
        expect(outcome()).toBe(false);
      } catch (error) {
        expect(error).toBeInstanceOf(LimitError);
      }
    }
  });
});
