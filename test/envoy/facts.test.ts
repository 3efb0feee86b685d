import fc from 'fast-check';
import type { RequestFacts } from '../../src/decision/facts.js';
import { toFacts } from '../../src/envoy/facts.js';
import type { CheckRequest, HttpRequest, Peer } from '../../src/envoy/messages.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { received } from './wire.js';

const source: Peer = { principal: 'spiffe://example.org/front', certificate: 'leaf' };

function ask(http: HttpRequest, peer = source) {
  return toFacts(
    received({ attributes: { source: peer, request: { http: { method: 'GET', path: '/a', ...http } } } }),
  );
}

function facts(http: HttpRequest, peer = source): RequestFacts {
  const outcome = ask(http, peer);
  if (isRefusal(outcome)) throw new Error(`refused: ${outcome.code}`);
  return outcome;
}

/** The same headers as `encode_raw_headers` sends them, each line apart. */
function raw(lines: readonly (readonly [string, string | Buffer])[]): HttpRequest {
  return { headerMap: { headers: lines.map(([key, value]) => ({ key, rawValue: Buffer.from(value) })) } };
}

describe('the facts of a request', () => {
  test('are method, canonical and raw path, query, host and scheme', () => {
    const { http } = facts({ method: 'PUT', path: '/a/./b?c=d', host: 'shop', scheme: 'https' });
    expect(http).toEqual({
      method: 'PUT',
      path: '/a/b',
      rawPath: '/a/./b',
      query: 'c=d',
      host: 'shop',
      scheme: 'https',
    });
  });

  test('trap 15: a path of more than one meaning is refused', () => {
    expect(ask({ path: '/a%2Fb' })).toMatchObject({ code: 'path_refused' });
  });

  test('trap 16: the query is no part of the path', () => {
    expect(facts({ path: '/a?x=/admin' }).http).toMatchObject({ path: '/a', query: 'x=/admin' });
  });

  test.each([
    ['CONNECT', ''],
    ['OPTIONS', '*'],
  ])('%s may ask for %j, and nothing else may', (method, path) => {
    expect(facts({ method, path }).http).toMatchObject({ path });
    expect(ask({ method: 'GET', path })).toMatchObject({ code: 'path_refused' });
  });

  test('the route’s settings come from context_extensions', () => {
    const contextExtensions = { 'countersign.token': 'off' };
    expect(toFacts(received({ attributes: { contextExtensions } }))).toMatchObject({
      route: contextExtensions,
    });
  });

  test('headers that only Countersign may set are named, each once', () => {
    const headers = {
      'x-countersign-subject': 'root',
      'X-Countersign-Subject': 'root',
      'x-countersignature': '1',
    };
    expect(facts({ headers }).forgedHeaders).toEqual(['x-countersign-subject']);
  });
});

describe('headers that only Countersign may set', () => {
  test('are the same with underscores, to an upstream that reads headers as CGI does', () => {
    const forged = { x_countersign_subject: 'root', 'X_Countersign-Spiffe_Id': 'x', x_other: 'y' };
    expect(facts({ headers: forged }).forgedHeaders).toEqual([
      'x_countersign_subject',
      'x_countersign-spiffe_id',
    ]);
  });

  const headers = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`X-Countersign-${index}`, 'forged']));

  test('are told by name where the client sent them', () => {
    expect(facts({ headers: { ...headers(2), 'x-other': '1' } }).forgedHeaders).toEqual([
      'x-countersign-0',
      'x-countersign-1',
    ]);
  });

  test('trap 11: so many of them that removing them takes the mutations of a policy refuse the request', () => {
    expect(facts({ headers: headers(3) }).forgedHeaders).toHaveLength(3);
    expect(ask({ headers: headers(4) })).toMatchObject({ code: 'request_malformed' });
  });
});

describe('headers in either form', () => {
  test('trap 17: two authorization headers never look like one token', () => {
    expect(facts({ headers: { authorization: 'Bearer a,Bearer b' } }).authorization).toEqual([
      'Bearer a,Bearer b',
    ]);
    const lines = raw([
      ['authorization', 'Bearer a'],
      ['authorization', 'Bearer b'],
    ]);
    expect(facts(lines).authorization).toEqual(['Bearer a', 'Bearer b']);
  });

  test('trap 18: cookies joined either way reach the policy as they came', () => {
    for (const cookie of ['a=1,b=2', 'a=1; b=2']) {
      expect(facts({ headers: { cookie } }).envoyInput).toMatchObject({
        attributes: { request: { http: { headers: { cookie } } } },
      });
    }
    const lines = raw([
      ['cookie', 'a=1'],
      ['cookie', 'b=2'],
    ]);
    expect(facts(lines).envoyInput).toMatchObject({
      attributes: { request: { http: { headers: { cookie: 'a=1,b=2' } } } },
    });
  });

  test('trap 19: header_map gives the same facts as headers', () => {
    const headers = {
      ':path': '/a',
      authorization: 'Bearer a',
      'content-type': 'application/json',
      'x-countersign-subject': 'root',
      'x-forwarded-client-cert': 'Hash=1,Hash=2',
      'x-name': 'zoë',
      'x-bytes': 'a!!b',
    };
    const lines = raw([
      [':path', '/a'],
      ['authorization', 'Bearer a'],
      ['content-type', 'application/json'],
      ['x-countersign-subject', 'root'],
      ['x-forwarded-client-cert', 'Hash=1,Hash=2'],
      ['x-name', 'zoë'],
      ['x-bytes', Buffer.from([0x61, 0xff, 0xc3, 0x62])],
    ]);
    const fromMap = facts({ headers, body: '{"a":1}' });
    const fromLines = facts({ ...lines, body: '{"a":1}' });
    const { headerMap, ...http } = attributesOf(fromLines);
    expect(headerMap).toBeDefined();
    expect(http).toEqual(attributesOf(fromMap));
    for (const name in headers) expect(fromLines.header(name)).toEqual(fromMap.header(name));
    const plain = (of: RequestFacts) => ({
      ...of,
      header: null,
      peer: { ...of.peer, header: null },
      envoyInput: { ...of.envoyInput, attributes: null },
    });
    expect(plain(fromLines)).toEqual(plain(fromMap));
  });

  test('trap 47: lines of x-forwarded-client-cert stay apart where Envoy sends them apart', () => {
    const lines = raw([
      ['x-forwarded-client-cert', 'Hash=1'],
      ['x-forwarded-client-cert', 'Hash=2'],
    ]);
    expect(facts(lines).peer.forwardedClientCert).toEqual(['Hash=1', 'Hash=2']);
    expect(facts({}).peer.forwardedClientCert).toEqual([]);
  });
});

function attributesOf({ envoyInput }: RequestFacts): { [name: string]: unknown } {
  return (envoyInput['attributes'] as { request: { http: { [name: string]: unknown } } }).request.http;
}

describe('the peer', () => {
  test('trap 22: source.service is never identity', () => {
    const forged = { ...source, service: 'spiffe://example.org/admin' };
    const told = ({ header: _, ...peer }: RequestFacts['peer']) => peer;
    expect(told(facts({}, forged).peer)).toEqual(told(facts({}).peer));
    expect(told(facts({}, { service: 'spiffe://example.org/admin' }).peer)).toEqual({
      certificate: '',
      principal: '',
      forwardedClientCert: [],
      path: '/a',
    });
  });

  test('trap 23: a TCP connection has a peer, no http and the input of OPA-Envoy', () => {
    const outcome = toFacts(received({ attributes: { source, tlsSession: { sni: 'shop' } } }));
    expect(outcome).toMatchObject({ peer: { principal: source.principal }, authorization: [] });
    expect(outcome).not.toHaveProperty('http');
    expect((outcome as RequestFacts).envoyInput).toMatchObject({
      attributes: { tlsSession: { sni: 'shop' } },
      parsed_path: [''],
      parsed_query: {},
      parsed_body: null,
      truncated_body: false,
    });
  });

  test('an empty CheckRequest has an empty peer', () => {
    expect(toFacts({})).toMatchObject({ peer: { certificate: '', principal: '' } });
  });
});

test('no decoded CheckRequest makes it throw', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('/a?b=%', '{', '__proto__', 'multipart/form-data; boundary=b', '--b\r\n\r\n--b--'),
  );
  const headers = fc.dictionary(
    fc.oneof(text, fc.constantFrom('content-type', 'content-length', 'authorization')),
    fc.oneof(text, fc.constantFrom('application/json', 'application/x-www-form-urlencoded')),
  );
  const http = fc.record(
    {
      path: fc.oneof(
        text,
        text.map((part) => `/${part}`),
      ),
      method: text,
      headers,
      body: text,
      rawBody: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      headerMap: fc.record({
        headers: fc.array(fc.record({ key: text, value: text }, { requiredKeys: [] })),
      }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(http, (http) => {
      const request: CheckRequest = received({ attributes: { request: { http } } });
      const outcome = toFacts(request);
      if (isRefusal(outcome)) expect(['path_refused', 'request_malformed']).toContain(outcome.code);
      else expect(() => JSON.stringify(outcome.forgedHeaders)).not.toThrow();
    }),
    { numRuns: 1000 },
  );
});
