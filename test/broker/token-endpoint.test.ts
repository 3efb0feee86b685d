import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ClientSecretPost } from 'oauth4webapi';
import { createTokenEndpoint, type Grant } from '../../src/broker/token-endpoint.js';
import { TokenRefused } from '../../src/broker/token-source.js';
import { createPostForm } from '../../src/cli/post-form.js';
import { JwtKey } from '../support/jwt-authority.js';

const NOW = Date.UTC(2030, 0, 1);
const AUDIENCE = 'https://billing.example.org';
const GOOD = { access_token: 'abc', token_type: 'Bearer', expires_in: 300 };

const forms: URLSearchParams[] = [];
let answer: (response: ServerResponse, request: IncomingMessage) => void;
const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  forms.push(new URLSearchParams(body));
  answer(response, request);
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
const post = createPostForm(async () => ({}));
afterAll(() => {
  post.close();
  server.closeAllConnections();
  server.close();
});
beforeEach(() => void forms.splice(0));

function saying(body: unknown, status = 200, type = 'application/json') {
  answer = (response) => {
    response.writeHead(status, { 'content-type': type });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

const CREDENTIALS: Grant = { type: 'client_credentials' };

function ask(grant: Grant = CREDENTIALS, audienceParameter: 'resource' | 'audience' = 'resource') {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  const asking = createTokenEndpoint({
    issuer: 'https://idp.example.org',
    endpoint: () => Promise.resolve(endpoint),
    clientId: 'countersign',
    authentication: () => Promise.resolve(ClientSecretPost('s3cret')),
    grant,
    audienceParameter,
    post,
    now: () => NOW,
  });
  const question = { key: 'k', audience: AUDIENCE, scopes: ['a', 'b'], subject: 'subject-token' };
  return asking(question, AbortSignal.timeout(2_000));
}

describe('a token endpoint', () => {
  test.each<[string, Grant, 'resource' | 'audience', Record<string, string>]>([
    ['credentials', CREDENTIALS, 'resource', { grant_type: 'client_credentials', resource: AUDIENCE }],
    ['credentials', CREDENTIALS, 'audience', { grant_type: 'client_credentials', audience: AUDIENCE }],
    [
      "the caller's JWT-SVID",
      { type: 'jwt_bearer' },
      'resource',
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: 'subject-token',
        resource: AUDIENCE,
      },
    ],
    [
      'its own JWT-SVID',
      { type: 'jwt_bearer', own: () => Promise.resolve('own-svid') },
      'resource',
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: 'own-svid',
        resource: AUDIENCE,
      },
    ],
  ])('is shown %s', async (_, grant, parameter, form) => {
    saying(GOOD);
    expect(await ask(grant, parameter)).toEqual({ token: 'abc', obtainedAt: NOW, expiresAt: NOW + 300_000 });
    expect(Object.fromEntries(forms[0]!)).toEqual({
      client_id: 'countersign',
      client_secret: 's3cret',
      scope: 'a b',
      ...form,
    });
  });

  test("is shown the caller's token in exchange for another (RFC 8693)", async () => {
    saying({ ...GOOD, issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' });
    expect(await ask({ type: 'token_exchange', subjectTokenType: 'jwt' })).toMatchObject({ token: 'abc' });
    expect(Object.fromEntries(forms[0]!)).toMatchObject({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: 'subject-token',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
  });

  test.each([
    ['no token', { token_type: 'Bearer' }],
    ['a token with a line break', { ...GOOD, access_token: 'a\r\nx-admin: yes' }],
    ['a token with a space', { ...GOOD, access_token: 'a b' }],
    ['a token of 17 KiB', { ...GOOD, access_token: 'a'.repeat(17 * 1024) }],
    ['a token of another type', { ...GOOD, token_type: 'DPoP' }],
    ['a token that is none for access', { ...GOOD, token_type: 'N_A' }],
    ['no life left', { ...GOOD, expires_in: 0 }],
    ['a negative life', { ...GOOD, expires_in: -1 }],
    ['a life of years', { ...GOOD, expires_in: 1e9 }],
    ['a life that is no number', { ...GOOD, expires_in: 'soon' }],
    ['wider scopes', { ...GOOD, scope: 'a b admin' }],
    ['a list', []],
    ['nothing', ''],
    ['a page for people', '<html></html>'],
    [
      'a name twice, of which the second counts',
      '{"access_token":"a","access_token":"b c","token_type":"Bearer"}',
    ],
  ])('that gives %s has given nothing', async (_, body) => {
    saying(body);
    const error = (await ask().catch((caught: Error) => caught)) as Error;
    expect(error).toBeInstanceOf(TokenRefused);
    expect(error.message).not.toMatch(/x-admin|s3cret|subject-token/);
  });

  test('may give narrower scopes', async () => {
    saying({ ...GOOD, scope: 'a' });
    expect(await ask()).toMatchObject({ token: 'abc' });
  });

  test('of an exchange has to call the token an access token', async () => {
    const exchange: Grant = { type: 'token_exchange', subjectTokenType: 'access_token' };
    saying(GOOD);
    await expect(ask(exchange)).rejects.toThrow('issued_token_type');
    saying({ ...GOOD, issued_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' });
    await expect(ask(exchange)).rejects.toThrow('issued_token_type');
  });

  test('that gives a JWT is held to what it says', async () => {
    const key = await JwtKey.create();
    const giving = async (claims: object) =>
      saying({ ...GOOD, access_token: await key.sign({ aud: AUDIENCE, exp: NOW / 1000 + 60, ...claims }) });
    await giving({});
    expect(await ask()).toMatchObject({ expiresAt: NOW + 60_000 });
    await giving({ aud: ['https://payroll.example.org'] });
    await expect(ask()).rejects.toThrow('aud is not what was asked for');
    await giving({ exp: NOW / 1000 - 1 });
    await expect(ask()).rejects.toThrow('exp has passed');
  });

  test.each([
    [
      400,
      { error: 'invalid_grant', error_description: 'subject-token is bad' },
      true,
      'answered 400 (invalid_grant)',
    ],
    [400, { error: 'invalid_scope' }, true, 'answered 400 (invalid_scope)'],
    [400, { error: 'Wrong <name>' }, true, 'answered 400 (an error without a proper name)'],
    [401, { error: 'invalid_client' }, false, 'answered 401 (invalid_client)'],
    [400, { error: 'unauthorized_client' }, false, 'answered 400 (unauthorized_client)'],
    [400, 'nonsense', true, 'answered 400'],
    [403, '', true, 'answered 403'],
    [429, '', false, 'answered 429'],
    [500, { error: 'server_error' }, false, 'answered 500'],
    [503, '', false, 'answered 503'],
    [204, '', false, 'answered 204'],
    [302, '', false, 'answered 302'],
  ])('that answers %i to one question', async (status, body, isRefused, message) => {
    saying(body, status);
    const error = (await ask().catch((caught: Error) => caught)) as Error;
    expect(error.message).toContain(message);
    expect(error instanceof TokenRefused).toBe(isRefused);
    expect(error.message).not.toContain('subject-token');
  });

  test('that redirects shows the form to nobody else', async () => {
    answer = (response, { url }) => {
      response.writeHead(307, { location: `${url}/elsewhere` });
      response.end();
    };
    await expect(ask()).rejects.toThrow('answered 307');
    expect(forms).toHaveLength(1);
  });

  test('that answers without end is hung up on', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"access_token":"');
      const more = setInterval(() => response.write('a'.repeat(16_384)), 1);
      response.once('close', () => clearInterval(more));
    };
    await expect(ask()).rejects.toThrow('answered more than 65536 bytes');
  });
});
