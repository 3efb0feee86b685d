import { createHash, randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import Provider from 'oidc-provider';
import { addCustomGrants, CUSTOM_GRANTS } from './custom-grants.js';

/**
 * An authorization server that others wrote, on loopback: client credentials, DPoP with nonces, bound certificates,
 * introspection and revocation of opaque tokens, and users who log in.
 */
export interface AuthorizationServer {
  readonly issuer: string;
  /** Asks as a client does, with its secret. @returns what was answered, empty where nothing was. */
  send(path: string, client: string, form: Record<string, string>): Promise<Record<string, unknown>>;
  /** Lets this user log in at the client `shop`, and agree. @returns the user's access token for the resource */
  login(user: string, resource: string): Promise<string>;
  close(): Promise<void>;
}

/** The resource whose tokens are opaque; those of any other are JWTs. */
export const OPAQUE_RESOURCE = 'https://billing.example.org';

const CALLBACK = 'https://shop.example.org/callback';

/** Who asks for tokens by grants that the package leaves to its users. */
export interface CustomClients {
  /** The public key of the client `broker`, which shows who it is by private_key_jwt. */
  readonly broker?: object | undefined;
  /** That of JWT-SVIDs, which client `spiffe://example.org/countersign` shows who it is by. */
  readonly svids?: object | undefined;
}

/**
 * Clients `proving`, `certified`, `plain`, `countersign` and `shop` have the secret `secret`; tokens are for whichever
 * resource they ask for.
 */
export async function startAuthorizationServer({
  broker,
  svids,
}: CustomClients = {}): Promise<AuthorizationServer> {
  let handle: RequestListener = (_, response) => response.writeHead(503).end();
  const server = createServer((request, response) => handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  const provider = new Provider(issuer, configuration(jwk, { broker, svids }));
  const { d: _, ...publicJwk } = jwk;
  addCustomGrants(provider, issuer, { signing: { publicJwk }, svids });
  handle = provider.callback();

  async function send(path: string, client: string, form: Record<string, string>) {
    const body = new URLSearchParams({ client_id: client, client_secret: 'secret', ...form });
    const text = await (await fetch(`${issuer}${path}`, { method: 'POST', body })).text();
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  }

  return {
    issuer,
    send,
    async login(user, resource) {
      const verifier = randomBytes(32).toString('base64url');
      const code = await authorize(issuer, user, {
        client_id: 'shop',
        response_type: 'code',
        redirect_uri: CALLBACK,
        scope: 'openid orders:read',
        resource,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
      });
      const form = {
        grant_type: 'authorization_code',
        code,
        redirect_uri: CALLBACK,
        code_verifier: verifier,
      };
      const { access_token: token, ...rest } = await send('/token', 'shop', { ...form, resource });
      if (typeof token !== 'string') throw new Error(JSON.stringify(rest));
      return token;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What a browser does: follows redirects with its cookies, fills in the form of the login and that of the consent. */
async function authorize(issuer: string, user: string, query: Record<string, string>): Promise<string> {
  const cookies = new Map<string, string>();
  let form: URLSearchParams | undefined;
  let url = new URL(`${issuer}/auth?${new URLSearchParams(query)}`);
  for (let step = 0; step < 12; step++) {
    const answer = await fetch(url, {
      method: form === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
      ...(form !== undefined && { body: form }),
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
      cookies.set(name!, value!);
    }
    form = undefined;
    const location = answer.headers.get('location');
    if (location === null) {
      const prompt = /name="prompt" value="(\w+)"/.exec(await answer.text())?.[1];
      if (prompt === undefined) throw new Error(`${url.pathname} answered ${answer.status} without a form`);
      form = new URLSearchParams({ prompt, ...(prompt === 'login' && { login: user, password: 'any' }) });
      continue;
    }
    url = new URL(location, url);
    if (!url.href.startsWith(CALLBACK)) continue;
    const code = url.searchParams.get('code');
    if (code === null) throw new Error(`no code: ${url.search}`);
    return code;
  }
  throw new Error('the login never came to an end');
}

function configuration(key: JWK, { broker, svids }: CustomClients): object {
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
    jwks: { keys: [{ ...key, kid: 'k1', alg: 'ES256', use: 'sig' }] },
    clients: [
      client('proving', { dpop_bound_access_tokens: true }),
      client('certified', { tls_client_certificate_bound_access_tokens: true }),
      client('plain', {}),
      client('countersign', { grant_types: [] }),
      ...Object.entries({ broker, 'spiffe://example.org/countersign': svids }).flatMap(([id, key]) =>
        key === undefined
          ? []
          : client(id, {
              client_secret: undefined,
              token_endpoint_auth_method: 'private_key_jwt',
              grant_types: ['client_credentials', ...CUSTOM_GRANTS],
              jwks: { keys: [key] },
            }),
      ),
      client('shop', {
        grant_types: ['authorization_code'],
        redirect_uris: [CALLBACK],
        response_types: ['code'],
      }),
    ],
    scopes: ['openid', 'orders:read', 'billing:read', 'billing:write'],
    features: {
      devInteractions: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_: unknown, resource: string) => ({
          scope: 'orders:read billing:read',
          audience: resource,
          accessTokenFormat: resource === OPAQUE_RESOURCE ? 'opaque' : 'jwt',
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
