import { readBody } from '../../src/envoy/body.js';
import { readHeaders } from '../../src/envoy/headers.js';
import { toFacts } from '../../src/envoy/facts.js';
import type { HttpRequest } from '../../src/envoy/messages.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { received } from './wire.js';

function body(type: string, text: string, headers: { [name: string]: string } = {}) {
  const http: HttpRequest = { headers: { 'content-type': type, ...headers }, body: text };
  return readBody(http, readHeaders(http));
}

const parsed = (value: unknown) => ({ parsed_body: value, truncated_body: false });
const form = (...lines: string[]) => lines.join('\r\n');
const NAME_A = 'Content-Disposition: form-data; name="a"';

describe('a body', () => {
  test.each([
    ['application/json', '{"a":[1,null]}', { a: [1, null] }],
    ['Application/JSON; charset=utf-8', '"x"', 'x'],
    ['application/json', 'null', null],
    ['application/json', '{"id":9007199254740993}', { id: 9007199254740993n }],
    ['application/x-www-form-urlencoded', 'a=1&a=%26+2&b', { a: ['1', '& 2'], b: [''] }],
    ['application/grpc+proto', '\u0000\u0000', null],
    ['text/plain', '{"a":1}', null],
    ['application/json', '', null],
    ['application/vnd.api+json', '{"a":1}', null],
    ['text/plain; note=application/json', '{"a":1}', null],
    ['application/x-www-form-urlencoded; q=application/json', 'a=1', { a: ['1'] }],
    ['application/json; profile="a,b"', '1', 1],
  ])('of type %s, %j, is parsed', (type, text, value) => {
    expect(body(type, text)).toEqual(parsed(value));
  });

  test('without a type is not parsed', () => {
    expect(readBody({ body: '{}' }, readHeaders({}))).toEqual(parsed(null));
  });

  test('that looks like a refusal is still a body', () => {
    const text = '{"refused":true,"code":"allowed"}';
    expect(body('application/json', text)).toEqual(parsed({ refused: true, code: 'allowed' }));
    const http = { method: 'POST', path: '/', headers: { 'content-type': 'application/json' }, body: text };
    expect(isRefusal(toFacts(received({ attributes: { request: { http } } })))).toBe(false);
  });

  test.each([
    ['application/json', '{'],
    ['application/json', '{"role":"user","role":"admin"}'],
    ['application/json', '['.repeat(5000)],
    ['application/x-www-form-urlencoded', 'a=%zz'],
    ['application/x-www-form-urlencoded', 'a=1;b=2'],
    ['multipart/form-data; boundary="', 'x'],
  ])('of type %s that is none (%.20j) is refused, and not quoted', (type, text) => {
    const outcome = body(type, text);
    expect(outcome).toMatchObject({ code: 'request_malformed' });
    expect(JSON.stringify(outcome)).not.toContain('admin');
  });

  test('with two types is refused: the upstream may take either', () => {
    for (const type of ['application/x-www-form-urlencoded, application/json', 'text/plain,application/json'])
      expect(body(type, '{"a":"&admin=true&"}')).toMatchObject({ code: 'request_malformed' });
  });

  test('that is compressed counts as one that cannot be read', () => {
    const truncated = { parsed_body: null, truncated_body: true };
    expect(body('application/x-www-form-urlencoded', 'a=1', { 'content-encoding': 'gzip' })).toEqual(
      truncated,
    );
    expect(body('application/json', '1', { 'content-encoding': 'identity' })).toEqual(parsed(1));
  });

  test('with a content-length that is no number is refused', () => {
    expect(body('application/json', '1', { 'content-length': '1,1' })).toMatchObject({
      code: 'request_malformed',
    });
  });
});

describe('a body as bytes', () => {
  test.each([
    ['application/json', Buffer.from('{"a":"zoë"}')],
    ['application/json', Buffer.from([0x22, 0x61, 0xff, 0x22])],
    ['application/x-www-form-urlencoded', Buffer.from('a=1')],
    ['multipart/form-data; boundary=b', Buffer.from(form('--b', NAME_A, '', '1', '--b--'))],
  ])('trap 20: raw_body of type %s gives the policy what body does', (type, bytes) => {
    // Envoy writes `!` for what is not UTF-8.
    const text = bytes.toString('latin1').includes('\u00ff') ? '"a!"' : bytes.toString('utf8');
    const http = { method: 'POST', path: '/', headers: { 'content-type': type } };
    const input = (body: HttpRequest) => {
      const facts = toFacts(received({ attributes: { request: { http: { ...http, ...body } } } }));
      if (isRefusal(facts)) throw new Error(facts.code);
      return JSON.parse(JSON.stringify(facts.envoyInput));
    };
    const fromBytes = input({ rawBody: bytes });
    expect(fromBytes.attributes.request.http.rawBody).toBe(bytes.toString('base64'));
    delete fromBytes.attributes.request.http.rawBody;
    expect(fromBytes).toEqual(input({ body: text }));
    expect(fromBytes.parsed_body).not.toBeNull();
  });
});

describe('a truncated body', () => {
  const truncated = { parsed_body: null, truncated_body: true };

  test.each([
    ['application/json', '{"a":1}'],
    ['application/x-www-form-urlencoded', 'a=1'],
    ['multipart/form-data; boundary=b', '--b'],
    ['text/plain', 'x'],
  ])('trap 21: of type %s says so where Envoy does', (type, text) => {
    expect(body(type, text, { 'x-envoy-auth-partial-body': 'true' })).toEqual(truncated);
  });

  test('trap 21: one that is shorter than content-length says so, in bytes', () => {
    expect(body('application/json', '"ë"', { 'content-length': '5' })).toEqual(truncated);
    expect(body('application/json', '"ë"', { 'content-length': '4' })).toEqual(parsed('ë'));
    expect(body('application/json', '1', { 'content-length': '-1' })).toEqual(parsed(1));
  });

  test('trap 21: a whole one does not, though Envoy says how it was buffered', () => {
    expect(body('application/json', '1', { 'x-envoy-auth-partial-body': 'false' })).toEqual(parsed(1));
  });
});

describe('multipart/form-data', () => {
  const multipart = (text: string) => body('multipart/form-data; boundary=b', text);

  test('is lists by field name, text or JSON', () => {
    const text = form(
      'preamble',
      '--b',
      NAME_A,
      '',
      'one',
      '',
      '--b  ',
      'content-disposition: form-data; name=a; filename="C:\\x"',
      'Content-Type: text/plain',
      '',
      'two',
      '--b',
      'Content-Disposition: form-data; name="json"',
      'Content-Type: application/json;',
      '',
      '{"n":1}',
      '--b',
      'Content-Disposition: attachment; name="no field"',
      '',
      'x',
      '--b--',
      'epilogue',
    );
    expect(multipart(text)).toEqual(parsed({ a: ['one\r\n', 'two'], json: [{ n: 1 }] }));
  });

  test('may end its lines with LF alone', () => {
    expect(multipart(`--b\n${NAME_A}\n\n1\n--b--\n`)).toEqual(parsed({ a: ['1'] }));
  });

  test('without a boundary is not parsed', () => {
    expect(body('multipart/form-data', 'x')).toEqual(parsed(null));
  });

  test('a boundary is text, not a pattern', () => {
    const type = 'multipart/form-data; boundary="a.(b"';
    expect(body(type, form('--a.(b', NAME_A, '', '1', '--a.(b--'))).toEqual(parsed({ a: ['1'] }));
    expect(body(type, form('--ax(b', NAME_A, '', '1', '--ax(b--'))).toMatchObject({
      code: 'request_malformed',
    });
  });

  test.each([
    ['no closing boundary', form('--b', NAME_A, '', '1')],
    ['no boundary at all', 'a=1'],
    ['text behind a boundary', form('--b', NAME_A, '', '1', '--bx', '--b--')],
    ['mixed line ends', `--b\r\n${NAME_A}\r\n\r\n1\n--b\r\n${NAME_A}\r\n\r\n2\r\n--b--`],
    ['mixed line ends at its close', `--b\r\n${NAME_A}\r\n\r\n1\n--b--`],
    ['a part without the empty line', form('--b', NAME_A, '--b--')],
    ['a folded header', form('--b', 'Content-Disposition: form-data;', ' name="a"', '', '1', '--b--')],
    ['a repeated header', form('--b', NAME_A, NAME_A, '', '1', '--b--')],
    ['a repeated name', form('--b', `${NAME_A}; name="b"`, '', '1', '--b--')],
    ['an extended name', form('--b', "Content-Disposition: form-data; name*=utf-8''a", '', '1', '--b--')],
    ['an escaped name', form('--b', 'Content-Disposition: form-data; name="a\\"b"', '', '1', '--b--')],
    ['a transfer encoding', form('--b', NAME_A, 'Content-Transfer-Encoding: base64', '', 'MQ==', '--b--')],
    ['JSON that is none', form('--b', NAME_A, 'Content-Type: application/json', '', '{', '--b--')],
  ])('with %s is refused', (_what, text) => {
    expect(multipart(text)).toMatchObject({ code: 'request_malformed' });
  });
});
