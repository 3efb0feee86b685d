import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

/** An authorization server that others wrote, on loopback: client credentials, DPoP with nonces, bound certificates. */
export interface AuthorizationServer {
  readonly issuer: string;
  close(): Promise<void>;
}

/** Clients `proving` and `certified` have the secret `secret`; tokens are for whichever resource they ask for. */
export async function startAuthorizationServer(): Promise<AuthorizationServer> {
  let handle: RequestListener = (_, response) => response.writeHead(503).end();
  const server = createServer((request, response) => handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  handle = new Provider(issuer, await configuration()).callback();
  return {
    issuer,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function configuration(): Promise<object> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const client = (id: string, more: object) => ({
    client_id: id,
    client_secret: 'secret',
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: 'ES256',
    ...more,
  });
  return {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'k1', alg: 'ES256', use: 'sig' }] },
    clients: [
      client('proving', { dpop_bound_access_tokens: true }),
      client('certified', { tls_client_certificate_bound_access_tokens: true }),
    ],
    scopes: ['orders:read'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_: unknown, resource: string) => ({
          scope: 'orders:read',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        // The certificate of the TLS connection, which a proxy in front of it would hand on like this.
        getCertificate(context: { get(name: string): string }) {
          const certificate = context.get('x-certificate');
          return certificate === '' ? undefined : decodeURIComponent(certificate);
        },
      },
    },
  };
}
