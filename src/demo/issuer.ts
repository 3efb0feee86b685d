import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  SignJWT,
  type JWTHeaderParameters,
  type JWTPayload,
} from 'jose';

export interface IssuerOptions {
  /** `aud` of the tokens. */
  readonly audience: string;
  /** The signature algorithm. Default ES256. */
  readonly algorithm?: 'ES256' | 'RS256' | 'EdDSA';
  /** What each client may ask for at the token endpoint; a demo's clients have no secret. */
  readonly clients?: { readonly [clientId: string]: { readonly scope: string } };
}

/** A small OAuth authorization server on a loopback port, for demos and tests. */
export interface Issuer {
  /** Its identifier, which is also its base URL. */
  readonly url: string;
  /** Requests to its key and metadata endpoints so far. */
  readonly keyRequests: () => number;
  /**
   * A signed access token by RFC 9068: client and subject `frontend`, valid for five minutes, unless overridden. A claim
   * or header that is overridden with undefined is left out.
   */
  mint(claims?: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>;
  /** A new signing key takes the place of the old one, which is published no longer. */
  rotate(): Promise<void>;
  close(): Promise<void>;
}

interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

const LIFETIME = 300; // seconds

export async function startIssuer(options: IssuerOptions): Promise<Issuer> {
  const algorithm = options.algorithm ?? 'ES256';
  let key = await newKey(algorithm);
  let keyRequests = 0;
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function mint(claims: JWTPayload = {}, header: Partial<JWTHeaderParameters> = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const payload: JWTPayload = {
      iss: url,
      aud: options.audience,
      sub: 'frontend',
      client_id: 'frontend',
      iat: now,
      exp: now + LIFETIME,
      jti: randomUUID(),
      ...claims,
    };
    return new SignJWT(payload)
      .setProtectedHeader({ alg: algorithm, typ: 'at+jwt', kid: key.publicJwk.kid!, ...header })
      .sign(key.privateKey);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const metadata = {
      issuer: url,
      jwks_uri: `${url}/jwks`,
      token_endpoint: `${url}/token`,
      response_types_supported: [],
      grant_types_supported: ['client_credentials'],
      token_endpoint_auth_methods_supported: ['none'],
    };
    switch (`${request.method} ${request.url}`) {
      case 'GET /.well-known/oauth-authorization-server':
      case 'GET /.well-known/openid-configuration':
        keyRequests++;
        return json(response, 200, metadata);
      case 'GET /jwks':
        keyRequests++;
        return json(response, 200, { keys: [key.publicJwk] });
      case 'POST /token':
        return token(await readForm(request), response);
      default:
        return json(response, 404, { error: 'not_found' });
    }
  }

  /** RFC 6749 section 4.4, for the clients that the demo knows. */
  async function token(form: URLSearchParams, response: ServerResponse): Promise<void> {
    const clientId = form.get('client_id') ?? '';
    const clients = options.clients ?? {};
    if (form.get('grant_type') !== 'client_credentials')
      return json(response, 400, { error: 'unsupported_grant_type' });
    if (!Object.hasOwn(clients, clientId)) return json(response, 401, { error: 'invalid_client' });
    const granted = clients[clientId]!.scope.split(' ');
    const asked = form.get('scope')?.split(' ') ?? granted;
    if (!asked.every((scope) => granted.includes(scope)))
      return json(response, 400, { error: 'invalid_scope' });
    const scope = asked.join(' ');
    const accessToken = await mint({ sub: clientId, client_id: clientId, scope });
    json(response, 200, { access_token: accessToken, token_type: 'Bearer', expires_in: LIFETIME, scope });
  }

  return {
    url,
    keyRequests: () => keyRequests,
    mint,
    async rotate() {
      key = await newKey(algorithm);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function newKey(algorithm: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm);
  return {
    privateKey,
    publicJwk: { ...(await exportJWK(publicKey)), alg: algorithm, use: 'sig', kid: randomUUID() },
  };
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > 10_000) break;
  }
  return new URLSearchParams(text);
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
