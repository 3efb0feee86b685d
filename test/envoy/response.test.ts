import fc from 'fast-check';
import type { Allow, Decision, Deny } from '../../src/decision/decision.js';
import { toCheckResponse } from '../../src/envoy/response.js';
import { ExactNumber } from '../../src/json/exact.js';
import { bytes, sent } from './wire.js';

const allow: Allow = {
  allowed: true,
  grpcStatus: 0,
  requestHeaders: [],
  requestHeadersToRemove: [],
  responseHeadersToAdd: [],
  queryParametersToSet: [],
  queryParametersToRemove: [],
  dynamicMetadata: {},
};

const deny: Deny = {
  allowed: false,
  grpcStatus: 7,
  httpStatus: 403,
  headers: [],
  body: '',
  dynamicMetadata: {},
};

function decision(answer: Allow | Deny): Decision {
  const said = answer.allowed
    ? ({ outcome: 'allow', reason: 'allowed' } as const)
    : ({ outcome: 'deny', reason: 'policy_denied' } as const);
  return { id: 'd', at: 0, ...said, answer, timings: {} };
}

const allowed = (part: Partial<Allow>) => sent(toCheckResponse(decision({ ...allow, ...part })));
const denied = (part: Partial<Deny>) => sent(toCheckResponse(decision({ ...deny, ...part })));

describe('every answer', () => {
  const text = fc.string({ unit: 'binary' });
  const pairs = fc.array(fc.tuple(text, text), { maxLength: 4 });
  const dynamicMetadata = fc.dictionary(text, fc.jsonValue() as fc.Arbitrary<unknown>, { maxKeys: 3 });
  const anyAllow = fc.record({
    requestHeaders: pairs,
    requestHeadersToRemove: fc.array(text),
    responseHeadersToAdd: pairs,
    queryParametersToSet: pairs,
    queryParametersToRemove: fc.array(text),
    dynamicMetadata,
  });
  const anyDeny = fc.record({
    grpcStatus: fc.constantFrom(0, 3, 4, 7, 13, 14, 16),
    httpStatus: fc.integer(),
    headers: pairs,
    body: text,
    dynamicMetadata,
  });

  test('trap 1: none is empty: each has a status and says what it answers', () => {
    fc.assert(
      fc.property(anyAllow, (part) => {
        const response = toCheckResponse(decision({ ...allow, ...part }));
        expect(bytes(response).length).toBeGreaterThan(0);
        expect(sent(response)).toMatchObject({ status: { code: 0, message: 'allowed' }, okResponse: {} });
        expect(sent(response)).not.toHaveProperty('deniedResponse');
      }),
    );
  });

  test('trap 2: a denial has a status that is not OK and a denied_response, whatever it was made of', () => {
    fc.assert(
      fc.property(anyDeny, (part) => {
        const response = sent(toCheckResponse(decision({ ...deny, ...part } as Deny)));
        expect(response.status.code).not.toBe(0);
        expect(response.deniedResponse!.status.code).toBeGreaterThanOrEqual(300);
        expect(response.deniedResponse!.status.code).toBeLessThanOrEqual(599);
        expect(response).not.toHaveProperty('okResponse');
      }),
    );
  });

  test('trap 1: an answer whose status has no code is none: it would read as an allow', () => {
    for (const code of [undefined, Number.NaN, 7.5])
      expect(() => bytes({ status: { code: code as number } })).toThrow('an answer without a status');
  });

  test('trap 14: raw_value is never used', () => {
    const all = [
      allowed({ requestHeaders: [['a', 'b']], responseHeadersToAdd: [['a', 'b']] }),
      denied({ headers: [['a', 'b']] }),
    ];
    expect(JSON.stringify(all)).not.toContain('rawValue');
    expect(JSON.stringify(all)).toContain('"value":"b"');
  });

  test('is UTF-8 throughout: Envoy takes an answer that it cannot parse for an error, not for a denial', () => {
    const lone = 'a\ud800';
    const response = toCheckResponse(
      decision({ ...deny, body: lone, headers: [['x', lone]], dynamicMetadata: { [lone]: [lone] } }),
    );
    const written = bytes(response);
    expect(written.includes(Buffer.from([0xed, 0xa0]))).toBe(false);
    expect(sent(response).deniedResponse!.body).toBe('a\ufffd');
  });

  test('has metadata that Envoy can read: deep enough, and no deeper', () => {
    let deep: object = {};
    for (let i = 0; i < 200; i++) deep = { deep };
    const { dynamicMetadata } = denied({ dynamicMetadata: { deep, beside: 1 } });
    expect(dynamicMetadata!.fields!['beside']).toEqual({ numberValue: 1 });
    expect(JSON.stringify(dynamicMetadata).split('structValue').length - 1).toBe(24);
  });

  test('writes metadata as a Struct, numbers that a double cannot hold as strings', () => {
    const dynamicMetadata = {
      none: null,
      yes: true,
      n: 1.5,
      s: 'x',
      list: [1, [undefined]],
      big: 9007199254740993n,
      huge: new ExactNumber('1e400'),
      left: undefined,
    };
    expect(allowed({ dynamicMetadata }).dynamicMetadata).toEqual({
      fields: {
        none: { nullValue: 0 },
        yes: { boolValue: true },
        n: { numberValue: 1.5 },
        s: { stringValue: 'x' },
        list: {
          listValue: { values: [{ numberValue: 1 }, { listValue: { values: [{ nullValue: 0 }] } }] },
        },
        big: { stringValue: '9007199254740993' },
        huge: { stringValue: '1e400' },
      },
    });
  });
});

describe('an answer that allows', () => {
  test('trap 6: a header that is asserted replaces the client’s, in the words of every Envoy', () => {
    expect(allowed({ requestHeaders: [['X-Countersign-Subject', 'alice']] }).okResponse!.headers).toEqual([
      {
        header: { key: 'x-countersign-subject', value: 'alice' },
        append: { value: false },
        appendAction: 2,
      },
    ]);
  });

  test('trap 6: of a policy’s header and ours under one name, the later one counts', () => {
    const requestHeaders = [
      ['X-Countersign-Subject', 'forged'],
      ['x-countersign-subject', 'alice'],
    ] as const;
    expect(allowed({ requestHeaders }).okResponse!.headers.map(({ header }) => header.value)).toEqual([
      'alice',
    ]);
  });

  test('trap 7: a header without a value of ours is removed', () => {
    const requestHeadersToRemove = ['x-countersign-role', 'X-Countersign-Role'];
    expect(allowed({ requestHeadersToRemove }).okResponse!.headersToRemove).toEqual(['x-countersign-role']);
  });

  test('trap 8: a header that is set and removed ends removed', () => {
    const { okResponse } = allowed({
      requestHeaders: [
        ['X-Tenant', 'a'],
        ['x-kept', 'b'],
      ],
      requestHeadersToRemove: ['x-tenant'],
    });
    expect(okResponse!.headers.map(({ header }) => header.key)).toEqual(['x-kept']);
    expect(okResponse!.headersToRemove).toEqual(['x-tenant']);
  });

  test('response headers are added beside the upstream’s, explicitly', () => {
    const responseHeadersToAdd = [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ] as const;
    expect(allowed({ responseHeadersToAdd }).okResponse!.responseHeadersToAdd).toEqual([
      { header: { key: 'set-cookie', value: 'a=1' }, appendAction: 0 },
      { header: { key: 'set-cookie', value: 'b=2' }, appendAction: 0 },
    ]);
  });

  test('trap 10: query parameters are percent-encoded, name and value', () => {
    const { okResponse } = allowed({ queryParametersToSet: [['a b', 'x y&admin=1+%é']] });
    expect(okResponse!.queryParametersToSet).toEqual([
      { key: 'a%20b', value: 'x%20y%26admin%3D1%2B%25%C3%A9' },
    ]);
  });

  test('query parameters are removed in either spelling, those that are set in the other one', () => {
    const { okResponse } = allowed({
      queryParametersToSet: [
        ['f[x]', '1'],
        ['plain', '2'],
      ],
      queryParametersToRemove: ['debug', 'g[y]'],
    });
    expect(okResponse!.queryParametersToRemove).toEqual(['debug', 'g[y]', 'g%5By%5D', 'f[x]']);
  });
});

describe('an answer that denies', () => {
  test('trap 13: two challenges both reach the client', () => {
    const headers = [
      ['www-authenticate', 'Bearer realm="countersign"'],
      ['www-authenticate', 'DPoP algs="ES256"'],
    ] as const;
    expect(denied({ httpStatus: 401, headers }).deniedResponse).toEqual({
      status: { code: 401 },
      // An entry with `append` is dropped by Envoy 1.40.
      headers: headers.map(([key, value]) => ({ header: { key, value }, appendAction: 0 })),
      body: '',
    });
  });

  test.each([
    [302, 302],
    [418, 418],
    [503, 503],
    [200, 403],
    [101, 403],
    [600, 403],
    [Number.NaN, 403],
  ])('trap 4: HTTP status %d is sent as %d', (httpStatus, code) => {
    expect(denied({ httpStatus }).deniedResponse!.status.code).toBe(code);
  });
});
