import type { RequestFacts } from '../../src/decision/facts.js';
import { toFacts } from '../../src/envoy/facts.js';
import type { Attributes, HttpRequest } from '../../src/envoy/messages.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { stringifyExact } from '../../src/json/exact.js';
import { received } from './wire.js';

function outcome(attributes: Attributes) {
  return toFacts(received({ attributes }));
}

function inputOf(attributes: Attributes): RequestFacts['envoyInput'] {
  const facts = outcome(attributes);
  if (isRefusal(facts)) throw new Error(`refused: ${facts.code}: ${facts.detail}`);
  return facts.envoyInput;
}

const http = (http: HttpRequest): Attributes => ({
  request: { http: { method: 'POST', path: '/', ...http } },
});

describe('the input that OPA-Envoy defines', () => {
  test('has the attributes by their JSON names, metadata as JSON, bytes as base64', () => {
    const input = inputOf({
      source: { address: { socketAddress: { address: '192.0.2.1', portValue: 0 } }, principal: 'p' },
      request: { time: { seconds: 1893456000, nanos: 7 }, http: { method: 'GET', path: '/a', size: -1 } },
      contextExtensions: { a: 'b' },
      metadataContext: {
        filterMetadata: {
          f: {
            fields: {
              text: { stringValue: 'x' },
              list: { listValue: { values: [{ numberValue: 1.5 }, { nullValue: 0 }, {}] } },
              none: { listValue: {} },
              nested: { structValue: { fields: { yes: { boolValue: true } } } },
              nan: { numberValue: Number.NaN },
            },
          },
        },
        typedFilterMetadata: { t: { type_url: 'type.example/T', value: Buffer.from([255]) } },
      },
      tlsSession: { sni: 'shop' },
    });
    expect(JSON.parse(stringifyExact(input))).toEqual({
      attributes: {
        source: { address: { socketAddress: { address: '192.0.2.1', portValue: 0 } }, principal: 'p' },
        request: { time: { seconds: 1893456000, nanos: 7 }, http: { method: 'GET', path: '/a', size: -1 } },
        contextExtensions: { a: 'b' },
        metadataContext: {
          filterMetadata: {
            f: { text: 'x', list: [1.5, null, null], none: [], nested: { yes: true }, nan: 'NaN' },
          },
          typedFilterMetadata: { t: { typeUrl: 'type.example/T', value: '/w==' } },
        },
        tlsSession: { sni: 'shop' },
      },
      parsed_path: ['a'],
      parsed_query: {},
      parsed_body: null,
      truncated_body: false,
      version: { ext_authz: 'v3', encoding: 'protojson' },
      source_principal: 'p',
    });
  });

  test('has no source_principal where Envoy names none', () => {
    expect(inputOf(http({}))).not.toHaveProperty('source_principal');
  });

  test.each([
    ['/my/test/path', ['my', 'test', 'path'], {}],
    ['/my/path/', ['my', 'path', ''], {}],
    ['/', [''], {}],
    ['/x//people?a=1', ['x', 'people'], { a: ['1'] }],
    ['/a%20b/c%3Bd', ['a b', 'c;d'], {}],
    ['/a?a=1&a=2&b', ['a'], { a: ['1', '2'], b: [''] }],
    ['/a?x=new%0aline&y=p+q&&z=a=b', ['a'], { x: ['new\nline'], y: ['p q'], z: ['a=b'] }],
    ['/a?q=%FF&é=Ł%FF', ['a'], { q: ['\ufffd'], é: ['Ł\ufffd'] }],
  ])('%s is parsed into path and query', (path, parsedPath, parsedQuery) => {
    const input = inputOf(http({ path }));
    expect(input['parsed_path']).toEqual(parsedPath);
    expect(input['parsed_query']).toEqual(parsedQuery);
  });

  test('trap 15: parsed_path is canonical, and the raw path stands in the attributes', () => {
    expect(inputOf(http({ path: '/public/../admin' }))).toMatchObject({
      parsed_path: ['admin'],
      attributes: { request: { http: { path: '/public/../admin' } } },
    });
  });

  test('a parameter named __proto__ is a parameter like any other', () => {
    const query = inputOf(http({ path: '/a?__proto__=x' }))['parsed_query'] as object;
    expect(Object.keys(query)).toEqual(['__proto__']);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  test.each(['/a?b=%zz', '/a?b=1;c=2', '/a?%='])('the query of %s is refused', (path) => {
    expect(outcome(http({ path }))).toMatchObject({ code: 'request_malformed' });
  });
});
