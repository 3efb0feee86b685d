import { BuiltinError } from '../../../src/policy/builtins/builtin.js';
import { call, callText } from './call.js';

describe('uri.parse', () => {
  test.each([
    [
      'HTTPS://user:p%40ss@Example.com:8443/a%2Fb/c?x=1&y=2#top%21',
      '{"fragment": "top!", "hostname": "Example.com", "path": "/a/b/c", "port": "8443", "raw_path": "/a%2Fb/c", "raw_query": "x=1&y=2", "scheme": "https"}',
    ],
    ['http://[fe80::1%25en0]:80', '{"hostname": "fe80::1%en0", "port": "80", "scheme": "http"}'],
    ['mailto:a@b?subject=x', '{"raw_query": "subject=x", "scheme": "mailto"}'],
    ['/caf%C3%A9', '{"path": "/café", "raw_path": "/café"}'],
    ['//host', '{"hostname": "host"}'],
    ['///path', '{"path": "///path", "raw_path": "///path"}'],
    ['*', '{"path": "*", "raw_path": "*"}'],
    ['?', '{}'],
    [
      'mongodb://a:1,b:2/db',
      '{"hostname": "a:1,b", "path": "/db", "port": "2", "raw_path": "/db", "scheme": "mongodb"}',
    ],
  ])('%s', (uri, expected) => {
    expect(callText('uri.parse', JSON.stringify(uri))).toBe(expected);
  });

  test('never quotes what it refuses', () => {
    expect(() => call('uri.parse', 'http://secret]%zz')).toThrow(BuiltinError);
    expect(() => call('uri.parse', 'http://secret]%zz')).not.toThrow(/secret/);
    expect(() => call('uri.parse', 1)).toThrow('operand 1 must be string but got number');
  });
});

describe('uri.is_valid', () => {
  test.each([
    'http://a',
    'a/b:c',
    '',
    ':',
    'a:b',
    '%',
    'http://a b',
    'http://a:b',
    'http://a:1:2',
    'x://a:1:2',
    'http://[::1',
    'http://[1.2.3.4]',
    'http://[::1]',
    'http://a\u007f',
    'a:b/c',
    '1a:b',
    'http://u ser@a',
    'http://%41',
    'http://%C3%A9',
  ])('agrees with uri.parse about %j', (uri) => {
    let parses = uri !== '';
    try {
      call('uri.parse', uri);
    } catch {
      parses = false;
    }
    expect(call('uri.is_valid', uri)).toBe(parses);
  });

  test('knows some of each', () => {
    for (const uri of ['http://a', 'a/b:c', 'a:b', 'http://[::1]', 'http://%C3%A9', 'x://a:1:2'])
      expect(call('uri.is_valid', uri)).toBe(true);
    for (const uri of [
      '',
      ':',
      '%',
      'http://a b',
      'http://a:b',
      'http://a:1:2',
      'http://[1.2.3.4]',
      '1a:b',
      'http://%41',
    ])
      expect(call('uri.is_valid', uri)).toBe(false);
    expect(call('uri.is_valid', 1)).toBe(false);
  });
});
