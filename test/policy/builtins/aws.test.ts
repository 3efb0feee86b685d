import { describe, expect, it } from '@jest/globals';
import { call, failure } from './context.js';

const NAME = 'providers.aws.sign_req';
const REQUEST = { method: 'GET', url: 'https://example.com/a b?x=1' };
const CONFIG = {
  aws_access_key: 'ACCESS',
  aws_secret_access_key: 'not a secret',
  aws_region: 'us-east-1',
  aws_service: 's3',
};
const TIME = 1451311705000000000;

interface Signed {
  readonly headers: { readonly [name: string]: string };
}

describe(NAME, () => {
  it('adds what Signature Version 4 asks for, and leaves the rest as it is', () => {
    const headers = { 'X-Own': 'a', 'User-Agent': 'b' };
    const signed = call(NAME, { ...REQUEST, headers, timeout: 1 }, CONFIG, TIME) as Signed;
    expect(signed).toMatchObject({ ...REQUEST, timeout: 1, headers });
    expect(signed.headers).toMatchObject({ host: 'example.com', 'x-amz-date': '20151228T140825Z' });
    expect(signed.headers.Authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=ACCESS\/20151228\/us-east-1\/s3\/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-own,Signature=[0-9a-f]{64}$/,
    );
  });

  it('signs the body, its JSON or its text, unless told not to', () => {
    const sum = (request: object, config: object = {}) =>
      (call(NAME, { ...REQUEST, ...request }, { ...CONFIG, ...config }, TIME) as Signed).headers[
        'x-amz-content-sha256'
      ];
    expect(sum({})).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(sum({ body: { b: 1, a: 2 } })).toBe(sum({ raw_body: '{"a":2,"b":1}' }));
    expect(sum({}, { disable_payload_signing: true })).toBe('UNSIGNED-PAYLOAD');
    expect(sum({}, { aws_service: 'ec2' })).toBeUndefined();
  });

  it('passes a session token on', () => {
    const signed = call(NAME, REQUEST, { ...CONFIG, aws_session_token: 'session' }, TIME) as Signed;
    expect(signed.headers['x-amz-security-token']).toBe('session');
  });

  it('has the signature that the published example has (AWS General Reference, "get-vanilla")', () => {
    const config = {
      aws_access_key: 'AKIDEXAMPLE',
      aws_secret_access_key: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
      aws_region: 'us-east-1',
      aws_service: 'service',
    };
    const request = { method: 'GET', url: 'https://example.amazonaws.com/' };
    const signed = call(NAME, request, config, Date.UTC(2015, 7, 30, 12, 36) * 1e6) as Signed;
    expect(signed.headers.Authorization).toMatch(
      /Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31$/,
    );
  });

  it.each([
    [{}, CONFIG, TIME, 'operand 1 missing required request parameters(s): {"method", "url"}'],
    [{ ...REQUEST, x: 1 }, CONFIG, TIME, 'operand 1 invalid request parameters(s): {"x"}'],
    [
      { method: 1, url: '' },
      CONFIG,
      TIME,
      'operand 1 invalid values for required request parameters(s): {"method"}',
    ],
    [
      REQUEST,
      { ...CONFIG, aws_region: 1 },
      TIME,
      'operand 2 invalid values for required AWS config parameters(s): {"aws_region"}',
    ],
    [
      REQUEST,
      { ...CONFIG, disable_payload_signing: 'x' },
      TIME,
      "operand 2 invalid value for 'disable_payload_signing' in AWS config",
    ],
    [REQUEST, CONFIG, 0.5, 'operand 3 could not convert time_ns value into a unix timestamp'],
  ])('refuses %j with %j at %j', (request, config, time, message) => {
    expect(failure(NAME, request, config, time)).toBe(message);
  });
});
