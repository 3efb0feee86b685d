import { jest } from '@jest/globals';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeProtectedHeader, exportJWK } from 'jose';
import type { Algorithm } from '../../src/jws/algorithms.js';
import { createKeySource, type KeySource } from '../../src/token/key-source.js';
import type { TokenRequest } from '../../src/token/types.js';
import { createTokenVerifier, type TrustedIssuer } from '../../src/token/verifier.js';
import { TestCa, type TestCertificate } from '../support/ca.js';
import { TestKey, refused } from './support.js';

// The package says at length that what it runs on here is not for production.
const notices = [
  jest.spyOn(console, 'info').mockImplementation(() => {}),
  jest.spyOn(console, 'warn').mockImplementation(() => {}),
];

const { default: Provider } = await import('oidc-provider');

const ORDERS = 'https://orders.example.org';
const SIGNED_BY = { es: 'ES256', rs: 'RS256', ps: 'PS256', ed: 'Ed25519' } as const;

/** An authorization server that others wrote, on loopback. */
class AuthorizationServer {
  readonly keys: KeySource[] = [];

  private constructor(
    private readonly server: Server,
    readonly issuer: string,
  ) {}

  static async start(): Promise<AuthorizationServer> {
    let handle: RequestListener = (_, response) => response.writeHead(503).end();
    const server = createServer((request, response) => handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    handle = new Provider(issuer, await configuration()).callback();
    return new AuthorizationServer(server, issuer);
  }

  /** The client credentials grant (RFC 6749 section 4.4) for one resource (RFC 8707). */
  async grant(client: string, resource?: string, certificate?: TestCertificate): Promise<string> {
    const answer = await fetch(`${this.issuer}/token`, {
      method: 'POST',
      headers: certificate ? { 'x-certificate': encodeURIComponent(certificate.pem) } : {},
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: client,
        client_secret: 'secret',
        ...(resource !== undefined && { resource }),
        scope: 'read write',
      }),
    });
    const body = (await answer.json()) as { access_token?: string };
    if (body.access_token === undefined) throw new Error(`no token: ${JSON.stringify(body)}`);
    return body.access_token;
  }

  /** A verifier that found the server's keys by itself. */
  async verifier(rules: Partial<TrustedIssuer> = {}) {
    const issuer = rules.issuer ?? this.issuer;
    const now = () => Date.now();
    const keys = createKeySource({
      issuer,
      location: 'discovery',
      refresh: 300_000,
      cooldown: 30_000,
      maxStale: 3_600_000,
      fetch,
      readFile: () => Promise.reject(new Error('no file is read')),
      now,
    });
    this.keys.push(keys);
    await keys.start();
    const trusted: TrustedIssuer = {
      issuer,
      audiences: [ORDERS],
      algorithms: Object.values(SIGNED_BY) satisfies Algorithm[],
      profile: 'at+jwt',
      maxLifetime: 3_600_000,
      clockSkew: 5_000,
      keys,
      ...rules,
    };
    const verifier = createTokenVerifier({ issuers: [trusted], maxBytes: 8192, now });
    const verify = (token: string, request: Partial<TokenRequest> = {}) =>
      verifier.verify({ authorization: [`Bearer ${token}`], now: now(), ...request });
    return { keys, verify };
  }

  async stop(): Promise<void> {
    for (const keys of this.keys) keys.stop();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

async function configuration(): Promise<object> {
  const keys = await Promise.all(Object.entries(SIGNED_BY).map(([kid, alg]) => TestKey.create(kid, alg)));
  const client = (id: string, more: object = {}) => ({
    client_id: id,
    client_secret: 'secret',
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    ...more,
  });
  return {
    jwks: {
      keys: await Promise.all(
        keys.map(async ({ privateKey, keyId, alg }) => ({
          ...(await exportJWK(privateKey)),
          kid: keyId,
          alg,
          use: 'sig',
        })),
      ),
    },
    clients: [client('frontend'), client('bound', { tls_client_certificate_bound_access_tokens: true })],
    scopes: ['read', 'write'],
    formats: {
      customizers: {
        // The header of its ID tokens, over all that an access token says.
        jwt(_: unknown, { aud }: { aud: string }, jwt: { header?: object }) {
          if (aud.endsWith('/untyped')) jwt.header = { ...jwt.header, typ: 'JWT' };
        },
      },
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_: unknown, resource: string) => ({
          scope: 'read write',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          // The resource's last part says what its tokens are signed with.
          jwt: {
            sign: {
              alg: SIGNED_BY[new URL(resource).pathname.slice(1) as keyof typeof SIGNED_BY] ?? 'ES256',
            },
          },
        }),
      },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate(context: { get(name: string): string }) {
          const certificate = context.get('x-certificate');
          return certificate === '' ? undefined : decodeURIComponent(certificate);
        },
      },
    },
  };
}

let server: AuthorizationServer;
beforeAll(async () => void (server = await AuthorizationServer.start()));
afterAll(async () => {
  await server.stop();
  for (const notice of notices) notice.mockRestore();
});

describe('a real authorization server', () => {
  test('is found by discovery, with its keys', async () => {
    const { keys } = await server.verifier();
    expect(keys.status()).toMatchObject({ stale: false, keys: 4 });
    expect(keys.status()).not.toHaveProperty('lastError');
  });

  test('trap 81: that calls itself by another name is refused', async () => {
    const { keys, verify } = await server.verifier({ issuer: `${server.issuer}/` });
    expect(keys.status()).toMatchObject({ stale: true, lastError: 'the metadata is of another issuer' });
    expect(await verify(await server.grant('frontend', ORDERS))).toEqual(refused('token_issuer_unknown'));
  });

  test('issues access tokens by RFC 9068 that pass', async () => {
    const { verify } = await server.verifier();
    const token = await server.grant('frontend', ORDERS);
    const verified = await verify(token);
    expect(verified).toMatchObject({
      issuer: server.issuer,
      subject: 'frontend',
      clientId: 'frontend',
      audience: [ORDERS],
      scopes: ['read', 'write'],
      binding: 'none',
    });
    expect(verify(token)).toEqual(verified);
  });

  test.each(Object.keys(SIGNED_BY))('may sign them with its key %s', async (kid) => {
    const resource = `${ORDERS}/${kid}`;
    const { verify } = await server.verifier({ audiences: [resource] });
    const token = await server.grant('frontend', resource);
    expect(decodeProtectedHeader(token)).toMatchObject({ kid, typ: 'at+jwt' });
    expect(await verify(token)).toMatchObject({ audience: [resource] });
  });

  test('issues tokens for others, and those are refused', async () => {
    const { verify } = await server.verifier();
    const token = await server.grant('frontend', 'https://billing.example.org');
    expect(await verify(token)).toEqual(refused('token_audience_mismatch'));
    expect(await verify(await server.grant('frontend', ORDERS), { audience: 'other' })).toEqual(
      refused('token_audience_mismatch'),
    );
  });

  test('issues tokens that expire', async () => {
    const { verify } = await server.verifier({ clockSkew: 0 });
    const token = await server.grant('frontend', ORDERS);
    await verify(token);
    expect(verify(token, { now: Date.now() + 301_000 })).toEqual(refused('token_expired'));
  });

  test('issues tokens that live too long for a stricter issuer', async () => {
    const { verify } = await server.verifier({ maxLifetime: 299_000 });
    expect(await verify(await server.grant('frontend', ORDERS))).toEqual(refused('token_lifetime_exceeded'));
  });

  test('trap 67: issues tokens of the type of its ID tokens, and those are refused', async () => {
    const resource = `${ORDERS}/untyped`;
    const token = await server.grant('frontend', resource);
    expect(decodeProtectedHeader(token).typ).toBe('JWT');
    const { verify } = await server.verifier({ audiences: [resource] });
    expect(await verify(token)).toEqual(refused('token_type_refused'));
    const lenient = await server.verifier({ audiences: [resource], profile: 'jwt' });
    expect(await lenient.verify(token)).toMatchObject({ audience: [resource] });
  });

  test('issues opaque tokens where no resource is named, and those are refused', async () => {
    const { verify } = await server.verifier();
    expect(await verify(await server.grant('frontend'))).toEqual(refused('token_malformed'));
  });

  test('did not sign what was changed since', async () => {
    const { verify } = await server.verifier();
    const [header, claims, signature] = (await server.grant('frontend', ORDERS)).split('.');
    const changed = { ...JSON.parse(Buffer.from(claims!, 'base64url').toString()), sub: 'root' };
    const forged = Buffer.from(JSON.stringify(changed)).toString('base64url');
    expect(await verify(`${header}.${forged}.${signature}`)).toEqual(refused('token_signature_invalid'));
  });
});

describe('a token that it bound to a certificate', () => {
  const thumbprint = ({ hash }: TestCertificate) => Buffer.from(hash, 'hex').toString('base64url');

  test('passes with that certificate, and is refused with another and with none', async () => {
    const ca = await TestCa.create();
    const [own, other] = [await ca.issue(), await ca.issue()];
    const { verify } = await server.verifier();
    const token = await server.grant('bound', ORDERS, own);
    expect(await verify(token, { peerThumbprint: thumbprint(own) })).toMatchObject({
      subject: 'bound',
      binding: 'x5t#S256',
      claims: { cnf: { 'x5t#S256': thumbprint(own) } },
    });
    expect(verify(token, { peerThumbprint: thumbprint(other) })).toEqual(refused('token_binding_mismatch'));
    expect(verify(token)).toEqual(refused('token_binding_mismatch'));
  });
});
