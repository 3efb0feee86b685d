import { createHmac } from 'node:crypto';
import type { Attributes, HttpRequest } from '../../src/envoy/messages.js';
import { framed, orderBytes } from '../support/grpc-service.js';
import type { DifferenceName } from './differences.js';
import type { POLICIES } from './policies.js';

/** One CheckRequest for one policy, and what both servers have to make of it. */
export interface Case {
  readonly policy: keyof typeof POLICIES;
  readonly title: string;
  readonly http?: HttpRequest;
  readonly attributes?: Omit<Attributes, 'request'>;
  /** Members of the input that the policy has to see; of policy `echo`. */
  readonly sees?: { readonly [key: string]: unknown };
  /** Whether the request passes, where that is the point. */
  readonly allowed?: boolean;
  /** The two answers differ on purpose, in this way. */
  readonly differs?: DifferenceName;
}

const get = (path: string, headers: { [name: string]: string } = {}): HttpRequest => ({
  method: 'GET',
  path,
  headers: { ':method': 'GET', ':path': path, ...headers },
});

const post = (type: string, body: HttpRequest, headers: { [name: string]: string } = {}): HttpRequest => ({
  method: 'POST',
  path: '/people',
  headers: { ':method': 'POST', ':path': '/people', 'content-type': type, ...headers },
  ...body,
});

const grpc = (body: HttpRequest, path = '/shop.v1.Orders/Place', type = 'application/grpc'): HttpRequest => ({
  ...post(type, body),
  path,
});

const result = (value: unknown): HttpRequest => get('/', { result: JSON.stringify(value) });

const bearer = (claims: object, secret = 'a secret of at least 32 characters'): HttpRequest => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  const signature = createHmac('sha256', secret).update(signed).digest('base64url');
  return get('/', { authorization: `Bearer ${signed}.${signature}` });
};

const lines = (...all: string[]) => all.join('\r\n');
const part = (name: string, value: string, ...headers: string[]) =>
  lines('--b', `Content-Disposition: form-data; name="${name}"`, ...headers, '', value);
const multipart = 'multipart/form-data; boundary=b';
const json = 'application/json';
const urlencoded = 'application/x-www-form-urlencoded';
const tea = framed(orderBytes({ itemName: 'tea', count: 2, id: '7' }));

const paths: readonly [path: string, sees: Case['sees'], differs?: DifferenceName][] = [
  ['/', { parsed_path: [''], parsed_query: {} }],
  ['/a/b', { parsed_path: ['a', 'b'] }],
  ['/a/b/', { parsed_path: ['a', 'b', ''] }],
  ['/a?x=1&x=2&y', { parsed_path: ['a'], parsed_query: { x: ['1', '2'], y: [''] } }],
  ['/a?', { parsed_query: {} }],
  ['/a?q=a%20b+c&%C3%BC=%26', { parsed_query: { q: ['a b c'], ü: ['&'] } }],
  ['/a?&&x=1&=2', { parsed_query: { x: ['1'], '': ['2'] } }],
  ['/a?x=1?y=2#z', { parsed_query: { x: ['1?y=2'] } }, 'fragment'],
  ['/caf%C3%A9/%E2%82%AC', { parsed_path: ['café', '€'] }],
  ['/a%20b/c%3Fd', { parsed_path: ['a b', 'c?d'] }],
  ['/~user/a=b,c@d:e', { parsed_path: ['~user', 'a=b,c@d:e'] }],
  ['/%61dmin', { parsed_path: ['admin'] }],
  ['/a/../b', { parsed_path: ['b'] }, 'canonical path'],
  ['/a//b', { parsed_path: ['a', 'b'] }, 'canonical path'],
  ['/a%2Fb', undefined, 'refused path'],
  ['/a;v=1/b', undefined, 'refused path'],
  ['/a%', undefined, 'malformed request'],
  ['/a?x=%zz', undefined, 'malformed request'],
  ['/a?x=1;y=2', undefined, 'malformed request'],
];

const bodies: readonly [title: string, http: HttpRequest, sees: Case['sees'], differs?: DifferenceName][] = [
  [
    'a JSON object',
    post(json, { body: '{"a":[1,2.5,null,"x",true]}' }),
    { parsed_body: { a: [1, 2.5, null, 'x', true] } },
  ],
  ['JSON that is a string', post(json, { body: '"x"' }), { parsed_body: 'x' }],
  ['JSON that is null', post(json, { body: 'null' }), { parsed_body: null, truncated_body: false }],
  ['JSON with a charset', post(`${json}; charset=utf-8`, { body: '{}' }), { parsed_body: {} }],
  [
    'large and small numbers',
    post(json, { body: '[9007199254740993, 1e2, 0.1]' }),
    { parsed_body: [9007199254740993n, 100, 0.1] },
  ],
  [
    'JSON with escapes',
    post(json, { body: '{"\\u0061":"\\ud83d\\ude00\\n"}' }),
    { parsed_body: { a: '😀\n' } },
  ],
  [
    'JSON as bytes',
    post(json, { rawBody: Buffer.from('{"a":"zoë"}') }),
    { parsed_body: { a: 'zoë' } },
    'bytes as text',
  ],
  ['no body', post(json, {}), { parsed_body: null, truncated_body: false }],
  ['no type', { ...get('/people'), body: '{}' }, { parsed_body: null }],
  [
    'a type that is not parsed',
    post('text/plain', { body: '{}' }),
    { parsed_body: null, truncated_body: false },
  ],
  [
    'JSON that Envoy cut off',
    post(json, { body: '{"a"' }, { 'x-envoy-auth-partial-body': 'true' }),
    { parsed_body: null, truncated_body: true },
  ],
  [
    'JSON that is whole',
    post(json, { body: '1' }, { 'x-envoy-auth-partial-body': 'false' }),
    { parsed_body: 1, truncated_body: false },
  ],
  [
    'text that Envoy cut off',
    post('text/plain', { body: 'a' }, { 'x-envoy-auth-partial-body': 'true' }),
    { truncated_body: true },
  ],
  [
    'JSON shorter than its length',
    post(json, { body: '{"a":1}' }, { 'content-length': '8' }),
    { parsed_body: null, truncated_body: true },
  ],
  [
    'JSON as long as its length',
    post(json, { body: '"ë"' }, { 'content-length': '4' }),
    { parsed_body: 'ë', truncated_body: false },
  ],
  ['a negative length', post(json, { body: '1' }, { 'content-length': '-1' }), { parsed_body: 1 }],
  [
    'a length that is no number',
    post(json, { body: '1' }, { 'content-length': 'x' }),
    undefined,
    'malformed request',
  ],
  ['broken JSON', post(json, { body: '{"a":' }), undefined, 'malformed request'],
  ['JSON with more behind it', post(json, { body: '{} {}' }), undefined, 'malformed request'],
  ['JSON with a repeated member', post(json, { body: '{"a":1,"a":2}' }), undefined, 'repeated member'],
  [
    'compressed JSON',
    post(json, { body: '{"a":1}' }, { 'content-encoding': 'gzip' }),
    undefined,
    'compressed body',
  ],
  [
    'JSON of another media type',
    post('application/json-patch+json', { body: '[]' }),
    { parsed_body: null },
    'media type',
  ],
  [
    'a type in other letters',
    post('Application/JSON', { body: '{"a":1}' }),
    { parsed_body: { a: 1 } },
    'media type',
  ],
  ['two types', post('text/plain, application/json', { body: '{}' }), undefined, 'two types'],
  [
    'a form',
    post(urlencoded, { body: 'a=1&a=2&b=%26+x&c' }),
    { parsed_body: { a: ['1', '2'], b: ['& x'], c: [''] } },
  ],
  [
    'a form as bytes',
    post(urlencoded, { rawBody: Buffer.from('a=1') }),
    { parsed_body: { a: ['1'] } },
    'bytes as text',
  ],
  [
    'a form that is cut off',
    post(urlencoded, { body: 'a=1' }, { 'content-length': '9' }),
    { truncated_body: true },
  ],
  ['a form with a broken escape', post(urlencoded, { body: 'a=%z' }), undefined, 'malformed request'],
  [
    'a form of parts',
    post(multipart, {
      body: lines(
        part('a', '1'),
        part('a', '2'),
        part('j', '{"n":1}', 'Content-Type: application/json'),
        '--b--',
        '',
      ),
    }),
    { parsed_body: { a: ['1', '2'], j: [{ n: 1 }] } },
  ],
  [
    'a file in a form',
    post(multipart, {
      body: lines(
        '--b',
        'Content-Disposition: form-data; name="f"; filename="x.txt"',
        'Content-Type: text/plain',
        '',
        'text',
        '--b--',
        '',
      ),
    }),
    { parsed_body: { f: ['text'] } },
  ],
  ['parts without a boundary', post('multipart/form-data', { body: 'x' }), { parsed_body: null }],
  ['parts without an end', post(multipart, { body: part('a', '1') }), undefined, 'malformed request'],
  [
    'parts with a transfer encoding',
    post(multipart, { body: lines(part('a', 'MQ==', 'Content-Transfer-Encoding: base64'), '--b--', '') }),
    undefined,
    'strict multipart',
  ],
  [
    'a gRPC message',
    grpc({ rawBody: tea }),
    { parsed_body: { itemName: 'tea', count: 2, id: '7' }, parsed_path: ['shop.v1.Orders', 'Place'] },
    'bytes as text',
  ],
  [
    'a gRPC message of every kind',
    grpc({
      rawBody: framed(
        orderBytes({
          kind: 'KIND_TEA',
          proof: '+/8=',
          lines: [{ count: 1 }, {}],
          tags: { a: 1 },
          gift: false,
          iban: '',
          at: '2026-01-02T03:04:05.5Z',
          wait: '1.5s',
          price: 1.5,
          weight: 0.1,
          extra: { a: [null, 1] },
          limit: '0',
          big: '18446744073709551615',
          mask: 'a,bC',
        }),
      ),
    }),
    {
      parsed_body: {
        kind: 'KIND_TEA',
        proof: '+/8=',
        lines: [{ count: 1 }, {}],
        tags: { a: 1 },
        gift: false,
        iban: '',
        at: '2026-01-02T03:04:05.500Z',
        wait: '1.500s',
        price: 1.5,
        weight: 0.1,
        extra: { a: [null, 1] },
        limit: '0',
        big: '18446744073709551615',
        mask: 'a,bC',
      },
    },
    'bytes as text',
  ],
  ['an empty gRPC message', grpc({ rawBody: framed(Buffer.alloc(0)) }), { parsed_body: {} }, 'bytes as text'],
  [
    'a gRPC message that is cut off',
    grpc({ rawBody: tea.subarray(0, -2) }),
    { parsed_body: null, truncated_body: true },
    'bytes as text',
  ],
  [
    'a compressed gRPC message',
    grpc({ rawBody: framed(orderBytes({ count: 1 }), { compressed: true }) }),
    { parsed_body: null, truncated_body: false },
    'bytes as text',
  ],
  [
    'an unknown gRPC method',
    grpc({ rawBody: tea }, '/shop.v1.Orders/Cancel'),
    { parsed_body: null },
    'bytes as text',
  ],
  [
    'a gRPC stream from the client',
    grpc({ rawBody: tea }, '/shop.v1.Orders/Upload'),
    { parsed_body: null },
    'bytes as text',
  ],
  [
    'a gRPC stream to the client',
    grpc({ rawBody: tea }, '/shop.v1.Orders/Watch'),
    { parsed_body: { itemName: 'tea', count: 2, id: '7' } },
    'bytes as text',
  ],
  ['a gRPC message as text', grpc({ body: 'x' }), { parsed_body: null, truncated_body: false }],
  ['gRPC at another path', grpc({ rawBody: tea }, '/Place'), undefined, 'malformed request'],
  [
    'a gRPC message that is none',
    grpc({ rawBody: framed(Buffer.from([0xff])) }),
    undefined,
    'malformed request',
  ],
  [
    'a gRPC message with an Any',
    grpc({
      rawBody: framed(orderBytes({ any: { '@type': 'type.googleapis.com/shop.v1.Order', count: 1 } })),
    }),
    { parsed_body: { any: { '@type': 'type.googleapis.com/shop.v1.Order', count: 1 } } },
    'any',
  ],
];

const attributes: readonly [
  title: string,
  http: HttpRequest | undefined,
  rest: Case['attributes'],
  sees: Case['sees'],
  differs?: DifferenceName,
][] = [
  [
    'addresses and labels',
    get('/'),
    {
      source: {
        address: { socketAddress: { address: '192.0.2.1', portValue: 4711 } },
        labels: { app: 'web' },
      },
      destination: {
        address: { pipe: { path: '/run/x' } },
        principal: 'spiffe://example.org/orders',
        service: 'orders',
      },
    },
    {},
  ],
  [
    'metadata',
    get('/'),
    {
      metadataContext: {
        filterMetadata: {
          jwt: {
            fields: {
              sub: { stringValue: 'alice' },
              n: { numberValue: 1.5 },
              l: { listValue: { values: [{ boolValue: true }, { nullValue: 0 }] } },
              o: { structValue: { fields: { x: { stringValue: 'y' } } } },
            },
          },
        },
      },
    },
    {},
  ],
  [
    'route metadata and TLS',
    get('/'),
    {
      routeMetadataContext: { filterMetadata: { r: { fields: {} } } },
      tlsSession: { sni: 'orders.example.org' },
    },
    {},
  ],
  [
    'the request’s own members',
    { ...get('/'), id: '1', host: 'orders', scheme: 'https', protocol: 'HTTP/2', size: 3, body: 'abc' },
    {},
    { parsed_body: null },
  ],
  [
    'raw headers',
    {
      method: 'GET',
      path: '/',
      headerMap: {
        headers: [
          { key: ':method', rawValue: Buffer.from('GET') },
          { key: 'x-a', rawValue: Buffer.from('1') },
        ],
      },
    },
    {},
    {},
    'raw headers',
  ],
  [
    'a connection',
    undefined,
    { destination: { address: { socketAddress: { address: '192.0.2.2', portValue: 5432 } } } },
    { parsed_path: [''], parsed_query: {}, parsed_body: null, truncated_body: false },
  ],
];

const results: readonly [title: string, value: unknown, differs?: DifferenceName][] = [
  ['true', true],
  ['false', false],
  ['an object that allows', { allowed: true }],
  ['an object that denies', { allowed: false }],
  ['keys that nobody knows', { allowed: true, extra: { a: 1 }, reason_code: 7 }],
  ['headers', { allowed: true, headers: { 'X-A': '1', 'x-b': '2' } }],
  ['headers with several values', { allowed: true, headers: { 'x-a': ['1', '2'] } }],
  ['headers as a list', { allowed: true, headers: [{ 'x-a': '1' }, { 'x-b': '2' }] }],
  ['headers of a denial', { allowed: false, headers: { 'x-a': '1' } }],
  [
    'headers of a denial, several of one name',
    { allowed: false, headers: [{ 'set-cookie': 'a=1' }, { 'set-cookie': ['b=2', 'c=3'] }] },
  ],
  ['headers to remove', { allowed: true, request_headers_to_remove: ['x-a', 'X-B'] }],
  ['response headers', { allowed: true, response_headers_to_add: { 'x-a': ['1', '2'], 'x-b': '3' } }],
  [
    'query parameters',
    {
      allowed: true,
      query_parameters_to_set: { a: '1', b: ['2', '3'] },
      query_parameters_to_remove: ['c', 'd'],
    },
  ],
  [
    'query parameters with a space',
    { allowed: true, query_parameters_to_set: { a: 'b c' } },
    'encoded query',
  ],
  ['a status and a body', { allowed: false, http_status: 429, body: 'later' }],
  ['a redirect', { allowed: false, http_status: 301, headers: { location: '/' } }],
  ['a status of an allow', { allowed: true, http_status: 500, body: 'not looked at' }],
  ['metadata', { allowed: true, dynamic_metadata: { a: 1, b: { c: [true, null, 'x'] }, d: 1.5 } }],
  ['metadata of a denial', { allowed: false, dynamic_metadata: { why: 'x' } }],
  ['a text', 'true', 'unusable result'],
  ['a number', 1, 'unusable result'],
  ['null', null, 'unusable result'],
  ['a list', [true], 'unusable result'],
  ['an object without allowed', { allow: true }, 'unusable result'],
  ['allowed as text', { allowed: 'true' }, 'unusable result'],
  ['headers that are text', { allowed: true, headers: 'x' }, 'unusable result'],
  ['headers that are null', { allowed: true, headers: null }, 'unusable result'],
  ['a header that is a number', { allowed: true, headers: { 'x-a': 1 } }, 'unusable result'],
  [
    'a list of headers to remove that is text',
    { allowed: true, request_headers_to_remove: 'x-a' },
    'unusable result',
  ],
  ['a body that is no text', { allowed: false, body: { a: 1 } }, 'unusable result'],
  ['a status that is text', { allowed: false, http_status: '403' }, 'unusable result'],
  ['a status that HTTP does not have', { allowed: false, http_status: 799 }, 'unusable result'],
  ['metadata that is a list', { allowed: true, dynamic_metadata: [] }, 'unusable result'],
  ['a denial with status 200', { allowed: false, http_status: 200 }, 'denial below 300'],
  ['a status without a name', { allowed: false, http_status: 499 }, 'unnamed status'],
  ['another path', { allowed: true, headers: { ':path': '/b' } }, 'request target'],
  ['a header with a line end', { allowed: true, headers: { 'x-a': 'b\r\nc: d' } }, 'header syntax'],
  [
    'one of Countersign’s headers',
    { allowed: true, headers: { 'x-countersign-subject': 'root' } },
    'header syntax',
  ],
  ['a wrong key that does not matter', { allowed: true, body: 1 }, 'unused key'],
];

const principal = 'spiffe://example.org/ns/shop/sa/frontend';

/** Every combination, some of which no policy of another kind would bring about. */
export const CASES: readonly Case[] = [
  ...paths.map(([path, sees, differs]) => of('echo', `path ${path}`, get(path), { sees, differs })),
  ...bodies.map(([title, http, sees, differs]) => of('echo', title, http, { sees, differs })),
  ...attributes.map(([title, http, rest, sees, differs]) =>
    of('echo', title, http, { sees, differs, attributes: rest }),
  ),
  ...results.map(([title, value, differs]) => of('result', title, result(value), { differs })),
  of('result', 'undefined', get('/'), { differs: 'unusable result' }),
  of('boolean', 'GET /health', get('/health'), { allowed: true }),
  of('boolean', 'POST /health', { ...get('/health'), method: 'POST' }, { allowed: false }),
  of('boolean', 'a query', get('/people/7?team=blue&team=red'), { allowed: true }),
  of('boolean', 'another query', get('/people/7?team=blue'), { allowed: false }),
  of('boolean', 'no query', get('/people'), { allowed: false }),
  of('object', 'a body that is welcome', post(json, { body: '{"firstname":"bob"}' }), { allowed: true }),
  of('object', 'a body that is not', post(json, { body: '{"firstname":"mallory"}' }), { allowed: false }),
  of(
    'object',
    'a body that is cut off',
    post(json, { body: '{"first' }, { 'x-envoy-auth-partial-body': 'true' }),
    { allowed: false },
  ),
  of('object', 'no body', get('/people'), { allowed: false }),
  of('form', 'a form', post(urlencoded, { body: 'scope=orders&scope=x' }), { allowed: true }),
  of('form', 'parts', post(multipart, { body: lines(part('scope', 'orders'), '--b--', '') }), {
    allowed: true,
  }),
  of('form', 'another form', post(urlencoded, { body: 'scope=x' }), { allowed: false }),
  of('jwt', 'an admin', bearer({ sub: 'alice', roles: ['user', 'admin'] }), { allowed: true }),
  of('jwt', 'a user', bearer({ sub: 'bob', roles: ['user'] }), { allowed: false }),
  of('jwt', 'an admin whose token has expired', bearer({ sub: 'alice', roles: ['admin'], exp: 1 }), {
    allowed: false,
  }),
  of('jwt', 'a token of somebody else', bearer({ sub: 'alice', roles: ['admin'] }, 'x'), { allowed: false }),
  of('jwt', 'no token', get('/'), { allowed: false }),
  of('grpc', 'a small order', grpc({ rawBody: tea }), { allowed: true }),
  of('grpc', 'a large order', grpc({ rawBody: framed(orderBytes({ count: 11, id: '7' })) }), {
    allowed: false,
  }),
  of('grpc', 'an order that is cut off', grpc({ rawBody: tea.subarray(0, 6) }), { allowed: false }),
  of('tcp', 'a connection to the database', undefined, {
    allowed: true,
    attributes: { destination: { address: { socketAddress: { address: '192.0.2.2', portValue: 5432 } } } },
  }),
  of('tcp', 'a connection to something else', undefined, {
    allowed: false,
    attributes: { destination: { address: { socketAddress: { address: '192.0.2.2', portValue: 22 } } } },
  }),
  of('tcp', 'a request', get('/'), { allowed: false }),
  of('conflict', 'rules that disagree', get('/'), { differs: 'unusable result' }),
  of('sets', 'sets and computed names', get('/a/b'), { allowed: true }),
];

function of(
  policy: Case['policy'],
  title: string,
  http: HttpRequest | undefined,
  {
    sees,
    allowed,
    differs,
    attributes = {},
  }: { [K in 'sees' | 'allowed' | 'differs' | 'attributes']?: Case[K] | undefined },
): Case {
  return {
    policy,
    title,
    ...(http && { http }),
    attributes: { ...attributes, source: { ...attributes.source, principal } },
    ...(sees && { sees }),
    ...(allowed !== undefined && { allowed }),
    ...(differs && { differs }),
  };
}
