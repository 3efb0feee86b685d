import { jest } from '@jest/globals';
import * as oauth from 'oauth4webapi';
import type { Envoy } from '../../src/demo/envoy.js';
import type { Svid } from '../../src/demo/trust-domain.js';
import { describeEnvoy } from '../support/real-envoy.js';
import type { AuthorizationServer } from './authorization-server.js';
import { http1 } from './client.js';
import { type Mesh, startMesh } from './mesh.js';

// The package says at length that what it runs on here is not for production.
const notices = [
  jest.spyOn(console, 'info').mockImplementation(() => {}),
  jest.spyOn(console, 'warn').mockImplementation(() => {}),
];
const { startAuthorizationServer } = await import('./authorization-server.js');

const RESOURCE = 'https://orders.example.org';
const POLICY = `package mesh.authz
decision := {"allowed": true, "headers": {"x-binding": input.token.binding}}
`;

describeEnvoy(
  'tokens of a real authorization server, through a real Envoy, with a client that others wrote',
  () => {
    let mesh: Mesh;
    let envoy: Envoy;
    let authority: AuthorizationServer;

    beforeAll(async () => {
      authority = await startAuthorizationServer();
      mesh = await startMesh();
      const engine = await mesh.engine({
        policy: POLICY,
        token: '  binding: required\n  dpop: { nonce: always }',
        issuer: [
          `    - issuer: ${authority.issuer}`,
          `      audiences: ['${RESOURCE}']`,
          '      jwks: discovery',
          '      algorithms: [ES256]',
        ].join('\n'),
      });
      envoy = await mesh.envoy(engine.grpc);
    }, 120_000);
    afterAll(async () => {
      await mesh?.close();
      await authority?.close();
      for (const notice of notices) notice.mockRestore();
    });

    const insecure = { [oauth.allowInsecureRequests]: true } as const;

    async function discovered(): Promise<oauth.AuthorizationServer> {
      const issuer = new URL(authority.issuer);
      return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
    }

    async function granted(client: oauth.Client, options: oauth.ClientCredentialsGrantRequestOptions) {
      const parameters = new URLSearchParams({ resource: RESOURCE, scope: 'orders:read' });
      const secret = oauth.ClientSecretPost('secret');
      const server = await discovered();
      const ask = async () => {
        const response = await oauth.clientCredentialsGrantRequest(server, client, secret, parameters, {
          ...options,
          ...insecure,
        });
        return oauth.processClientCredentialsResponse(server, client, response);
      };
      return ask().catch((error) => (oauth.isDPoPNonceError(error) ? ask() : Promise.reject(error)));
    }

    /** What the client library fetches with: over mTLS, as this workload. */
    const fetchAs = (workload: Svid) => async (url: string, options: { method: string; headers: object }) => {
      const { host, pathname, search } = new URL(url);
      const answer = await http1({
        ...mesh.as(workload, envoy),
        method: options.method,
        path: `${pathname}${search}`,
        headers: { host, ...options.headers } as { [name: string]: string },
      });
      const headers = Object.entries(answer.headers).flatMap(([name, value]) =>
        [value].flat().map((one): [string, string] => [name, String(one)]),
      );
      return new Response(answer.body, { status: answer.status, headers });
    };

    async function used(token: string, workload: Svid, DPoP?: oauth.DPoPHandle): Promise<Response> {
      const url = new URL(`https://localhost:${envoy.httpPort}/orders/7?page=2`);
      const ask = () =>
        oauth.protectedResourceRequest(token, 'GET', url, undefined, null, {
          ...(DPoP && { DPoP }),
          [oauth.customFetch]: fetchAs(workload) as never,
        });
      return ask().catch((error) => (oauth.isDPoPNonceError(error) ? ask() : Promise.reject(error)));
    }
    const bindingOf = async (response: Response) =>
      ((await response.json()) as { headers: { [name: string]: string } }).headers['x-binding'];

    test('a DPoP-bound token is granted and used, with the nonces of both servers', async () => {
      const client: oauth.Client = { client_id: 'proving' };
      const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
      const { access_token: token, token_type: type } = await granted(client, { DPoP });
      expect(type).toBe('dpop');
      for (let n = 0; n < 3; n++) {
        const response = await used(token, mesh.frontend, DPoP);
        expect(response.status).toBe(200);
        expect(await bindingOf(response)).toBe('dpop');
      }
      const thief = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
      await expect(used(token, mesh.reporting, thief)).rejects.toMatchObject({
        status: 401,
        cause: [{ scheme: 'dpop', parameters: { error: 'invalid_token', algs: expect.any(String) } }],
      });
    });

    test('a certificate-bound token is granted and used by its own workload alone', async () => {
      const client: oauth.Client = { client_id: 'certified' };
      const headers = { 'x-certificate': encodeURIComponent(mesh.frontend.certPem) };
      const { access_token: token } = await granted(client, { headers });
      const response = await used(token, mesh.frontend);
      expect([response.status, await bindingOf(response)]).toEqual([200, 'x5t#S256']);
      await expect(used(token, mesh.reporting)).rejects.toMatchObject({
        status: 401,
        cause: expect.arrayContaining([
          { scheme: 'bearer', parameters: expect.objectContaining({ error: 'invalid_token' }) },
        ]),
      });
    });

    test('a plain bearer token is refused', async () => {
      const token = await mesh.issuer.mint();
      await expect(used(token, mesh.frontend)).rejects.toMatchObject({ status: 401 });
    });
  },
);
