import fc from 'fast-check';
import { isRefusal } from '../../src/errors/refusal.js';
import { readResult, type ReadResultOptions } from '../../src/policy/result.js';

/** The result, read; or the detail of the refusal. */
function read(result: unknown, options?: ReadResultOptions) {
  const outcome = readResult(result, options);
  if (!isRefusal(outcome)) return outcome;
  expect(outcome.code).toBe('policy_result_invalid');
  return outcome.detail;
}

describe("a policy's result", () => {
  test.each([true, false])('may be the boolean %s', (allowed) => {
    expect(read(allowed)).toMatchObject({ allowed, headers: [], reasons: [] });
  });

  test.each([null, undefined, 1, 'true', [], [true], 0n])('trap 88: is no answer when it is %p', (result) => {
    expect(read(result)).toBe('the result is neither a boolean nor an object');
  });

  test.each([{}, { allowed: 'true' }, { allowed: 1 }, { allowed: null }, { allow: true }])(
    'trap 88: is no answer when allowed is not a boolean: %j',
    (result) => {
      expect(read(result)).toBe('allowed is not a boolean');
    },
  );

  test('may say all that the contract has, and more that it does not', () => {
    const result = {
      allowed: true,
      headers: { 'x-role': ['a', 'b'], 'x-one': '1' },
      response_headers_to_add: [{ 'x-frame': 'deny' }, { 'x-frame': 'same' }],
      request_headers_to_remove: ['x-internal'],
      query_parameters_to_set: { page: 'a b&c' },
      query_parameters_to_remove: ['debug'],
      body: 'b',
      dynamic_metadata: { team: { name: 'shop' } },
      reason: 'fine',
      reasons: ['one', 'two'],
      required_scopes: 'orders:read orders:write',
      of_another_engine: 1,
    };
    expect(read(result)).toEqual({
      allowed: true,
      headers: [
        ['x-role', 'a'],
        ['x-role', 'b'],
        ['x-one', '1'],
      ],
      responseHeadersToAdd: [
        ['x-frame', 'deny'],
        ['x-frame', 'same'],
      ],
      requestHeadersToRemove: ['x-internal'],
      queryParametersToSet: [['page', 'a b&c']],
      queryParametersToRemove: ['debug'],
      body: 'b',
      dynamicMetadata: { team: { name: 'shop' } },
      reason: 'fine',
      reasons: ['one', 'two'],
      requiredScopes: ['orders:read', 'orders:write'],
    });
  });

  test.each([
    ['headers', 1, 'headers is not an object'],
    ['headers', { a: 1 }, 'headers: "a" is not a string'],
    ['headers', { a: ['b', null] }, 'headers: "a" is not a string'],
    ['headers', [{ a: 'b' }, 1], 'headers[1] is not an object'],
    ['headers', [null], 'headers[0] is not an object'],
    ['headers', { 'a b': 'c' }, 'headers: "a b" is not a header name'],
    ['headers', { '': 'c' }, 'headers: "" is not a header name'],
    [
      'headers',
      { 'X-Countersign-Subject': 'root' },
      'headers: "X-Countersign-Subject" is for Countersign alone to set',
    ],
    [
      'headers',
      { x_countersign_subject: 'root' },
      'headers: "x_countersign_subject" is for Countersign alone to set',
    ],
    ['response_headers_to_add', 'x', 'response_headers_to_add is not an object'],
    ['request_headers_to_remove', 'x', 'request_headers_to_remove is not an array'],
    ['request_headers_to_remove', ['a\nb'], 'request_headers_to_remove: "a\\nb" is not a header name'],
    ['query_parameters_to_set', ['x'], 'query_parameters_to_set is not an object'],
    ['query_parameters_to_set', { a: 1 }, 'query_parameters_to_set: "a" is not a string'],
    ['query_parameters_to_remove', [1], 'query_parameters_to_remove[0] is not a string'],
    ['query_parameters_to_set', { a: ['b', {}] }, 'query_parameters_to_set: "a" is not a string'],
    ['query_parameters_to_remove', 'x', 'query_parameters_to_remove is not an array'],
    ['request_headers_to_remove', ['a', 1], 'request_headers_to_remove[1] is not a string'],
    ['response_headers_to_add', [{ a: 'b' }, { a: 1 }], 'response_headers_to_add[1]: "a" is not a string'],
    [
      'response_headers_to_add',
      { 'x-countersign-decision-id': 'x' },
      'response_headers_to_add: "x-countersign-decision-id" is for Countersign alone to set',
    ],
    ['body', {}, 'body is not a string'],
    ['dynamic_metadata', 'x', 'dynamic_metadata is not an object'],
    ['dynamic_metadata', [], 'dynamic_metadata is not an object'],
    [
      'dynamic_metadata',
      { countersign: {} },
      'dynamic_metadata: "countersign" is for Countersign alone to set',
    ],
    ['reason', 1, 'reason is not a string'],
    ['reasons', 'x', 'reasons is not an array'],
    ['reasons', ['x', null], 'reasons[1] is not a string'],
    ['required_scopes', { a: 1 }, 'required_scopes is not an array'],
    ['upstream_token', 'idp', 'upstream_token is not an object'],
    ['upstream_token', { audience: 'a' }, 'upstream_token: from is not a string'],
    ['upstream_token', { from: 'idp' }, 'upstream_token: audience is not a string'],
    ['upstream_token', { from: 'idp', audience: 'a', scope: 'b' }, 'upstream_token: "scope" is not known'],
    ['upstream_token', { from: 'idp', audience: 'a', scopes: [1] }, 'scopes[0] is not a string'],
    ['required_scopes', [1], 'required_scopes[0] is not a string'],
  ])('is refused whole when %s is %j', (key, value, detail) => {
    for (const allowed of [true, false]) expect(read({ allowed, [key]: value })).toBe(detail);
  });

  test.each([
    'headers',
    'response_headers_to_add',
    'request_headers_to_remove',
    'query_parameters_to_set',
    'query_parameters_to_remove',
    'body',
    'http_status',
    'dynamic_metadata',
    'reason',
    'reasons',
    'required_scopes',
  ])('is refused whole when %s is null, which is not the same as absent', (key) => {
    expect(read({ allowed: false, [key]: null })).toMatch(new RegExp(`^${key} is not `));
    expect(read({ allowed: false, [key]: undefined })).toMatchObject({ allowed: false });
  });

  test('names what is wrong at a bounded length', () => {
    const name = `x ${'a'.repeat(5_000)}`;
    for (const key of ['headers', 'query_parameters_to_set'])
      expect(String(read({ allowed: true, [key]: { [name]: 1 } })).length).toBeLessThan(120);
  });

  test('has a status where it denies alone: policies for OPA-Envoy give one where they allow, too', () => {
    expect(read({ allowed: true, http_status: 200 })).not.toHaveProperty('httpStatus');
  });

  test('keeps names that mean something to JavaScript as the names they are', () => {
    const result = JSON.parse(
      '{"allowed":true,"headers":{"__proto__":"a","constructor":"b"},"__proto__":{"body":"x"}}',
    ) as object;
    const outcome = read(result);
    expect(outcome).toMatchObject({
      headers: [
        ['__proto__', 'a'],
        ['constructor', 'b'],
      ],
    });
    expect(outcome).not.toHaveProperty('body');
  });

  test.each(['', ' ', 'a', 'a  b '])('reads scopes written as %j like OAuth does', (scopes) => {
    expect(read({ allowed: false, required_scopes: scopes })).toMatchObject({
      requiredScopes: scopes.split(' ').filter((scope) => scope !== ''),
    });
  });

  test.each([200, 204, 100, 0, 299, 600, 403.5, '403', null])(
    'trap 4: is refused when the status of its denial is %p',
    (http_status) => {
      expect(read({ allowed: false, http_status })).toBe('http_status is not a whole number from 300 to 599');
    },
  );

  test.each([300, 302, 401, 403, 429, 503, 599])('may deny with %i', (http_status) => {
    expect(read({ allowed: false, http_status })).toMatchObject({ httpStatus: http_status });
  });

  test.each(['a\r\nb', 'a\nb', 'a\0b', '\u007f', '\u0001'])(
    'trap 9: is refused when the value of a header is %j',
    (value) => {
      for (const key of ['headers', 'response_headers_to_add'])
        expect(read({ allowed: true, [key]: { 'x-a': value } })).toBe(
          `${key}: the value of "x-a" holds a control character`,
        );
      expect(read({ allowed: true, headers: { 'x-a': 'a\tb é' } })).toMatchObject({ allowed: true });
    },
  );

  test('trap 11: is refused with more header mutations than Envoy takes', () => {
    const headers = (count: number) => ({ 'x-a': Array.from({ length: count }, (_, index) => `${index}`) });
    expect(read({ allowed: true, headers: headers(90) })).toMatchObject({ allowed: true });
    expect(read({ allowed: true, headers: headers(91) })).toBe('more than 90 header mutations');
    const spread = {
      headers: headers(40),
      response_headers_to_add: headers(40),
      request_headers_to_remove: Array.from({ length: 11 }, (_, index) => `x-${index}`),
    };
    expect(read({ allowed: true, ...spread })).toBe('more than 90 header mutations');
  });

  test.each([':path', ':authority', 'host', 'Host', ':method'])(
    'trap 12: may not set %s unless configuration allows it',
    (name) => {
      const result = { allowed: true, headers: { [name]: 'x' } };
      expect(read(result)).toContain('policy.allow_request_target_rewrite');
      expect(read(result, { allowRequestTargetRewrite: true })).toMatchObject({ headers: [[name, 'x']] });
      // In an answer to the client there is no target to change.
      const options = { allowRequestTargetRewrite: true };
      expect(read({ allowed: false, headers: { [name]: 'x' } }, options)).toContain('would change');
      expect(read({ allowed: true, response_headers_to_add: { [name]: 'x' } }, options)).toContain(
        'would change',
      );
    },
  );

  test('is read or refused, whatever it is, and a refusal quotes no value', () => {
    const key = fc.constantFrom(
      'allowed',
      'headers',
      'response_headers_to_add',
      'request_headers_to_remove',
      'query_parameters_to_set',
      'body',
      'http_status',
      'dynamic_metadata',
      'reasons',
      'required_scopes',
    );
    const value = fc.oneof(fc.jsonValue(), fc.constant('s3cret\n'), fc.constant({ 'x-a': 's3cret\n' }));
    fc.assert(
      fc.property(fc.dictionary(key, value), fc.boolean(), (result, allowed) => {
        const outcome = readResult({ ...result, allowed });
        if (isRefusal(outcome)) expect(outcome.detail).not.toContain('s3cret');
        else expect(outcome.allowed).toBe(allowed);
      }),
    );
  });
});

describe('step_up', () => {
  test.each([
    [
      { acr_values: ['a', 'b'], max_age: 300 },
      { acrValues: ['a', 'b'], maxAge: 300 },
    ],
    [{ acr_values: 'urn:mace:silver  urn:mace:gold' }, { acrValues: ['urn:mace:silver', 'urn:mace:gold'] }],
    [{ max_age: 0 }, { acrValues: [], maxAge: 0 }],
  ])('%j is read as %j', (stepUp, read) => {
    expect(readResult({ allowed: false, step_up: stepUp })).toMatchObject({ stepUp: read });
  });

  test.each([
    [{}],
    [null],
    ['silver'],
    [{ acr_values: [] }],
    [{ acr_values: [7] }],
    [{ acr_values: ['a"b'] }],
    [{ acr_values: ['a b'] }],
    [{ max_age: -1 }],
    [{ max_age: 1.5 }],
    [{ max_age: '300' }],
    [{ acr_values: 'a', max_age: null }],
  ])('%j makes the result invalid', (stepUp) => {
    expect(readResult({ allowed: false, step_up: stepUp })).toMatchObject({ code: 'policy_result_invalid' });
  });
});
