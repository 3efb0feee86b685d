import { jest } from '@jest/globals';
import type { Envoy } from '../../src/demo/envoy.js';
import type { Svid } from '../../src/demo/trust-domain.js';
import { describeEnvoy } from '../support/real-envoy.js';
import type { AuthorizationServer } from './authorization-server.js';
import { http1 } from './client.js';
import type { EngineProcess } from './engine.js';
import { eventually } from './eventually.js';
import { type Mesh, startMesh } from './mesh.js';

// The package says at length that what it runs on here is not for production, and takes no objects of another realm,
// such as Jest makes, for plain ones.
const notices = [
  jest.spyOn(console, 'info').mockImplementation(() => {}),
  jest.spyOn(console, 'warn').mockImplementation(() => {}),
  jest.spyOn(globalThis, 'structuredClone').mockImplementation((value) => JSON.parse(JSON.stringify(value))),
];
const { startAuthorizationServer, OPAQUE_RESOURCE } = await import('./authorization-server.js');

const RESOURCE = 'https://orders.example.org';
const POLICY = `package mesh.authz
decision := {"allowed": true, "headers": {"x-user": user, "x-client": input.token.client_id}}
default user := "nobody"
user := input.user_token.subject
`;

describeEnvoy('opaque tokens and users of a real authorization server, 1 worker', () => flows(1));
describeEnvoy('opaque tokens and users of a real authorization server, 2 workers', () => flows(2));

function flows(workers: number): void {
  let mesh: Mesh;
  let envoy: Envoy;
  let engine: EngineProcess;
  let authority: AuthorizationServer;

  beforeAll(async () => {
    authority = await startAuthorizationServer();
    mesh = await startMesh();
    engine = await mesh.engine({
      policy: POLICY,
      token: '  user: {}',
      issuer: `    - issuer: ${authority.issuer}
      audiences: ['${RESOURCE}', '${OPAQUE_RESOURCE}']
      accepted_as: [access_token, user_token]
      jwks: discovery
      algorithms: [ES256]
      introspection:
        client_id: countersign
        client_authentication: { method: client_secret_post, secret: secret }
        cache: 300ms
        negative_cache: 100ms
`,
      more: `workers: ${workers}\n`,
    });
    envoy = await mesh.envoy(engine.grpc);
  }, 120_000);
  afterAll(async () => {
    await mesh?.close();
    await authority?.close();
  });

  async function granted(resource: string): Promise<string> {
    const form = { grant_type: 'client_credentials', scope: 'orders:read', resource };
    const { access_token: token, ...rest } = await authority.send('/token', 'plain', form);
    if (typeof token !== 'string') throw new Error(JSON.stringify(rest));
    return token;
  }

  async function ask(token: string, more: Record<string, string> = {}, workload: Svid = mesh.frontend) {
    const answer = await http1({
      ...mesh.as(workload, envoy),
      path: '/orders/7',
      headers: { authorization: `Bearer ${token}`, ...more },
    });
    const { reason } = engine.decisions().at(-1) ?? {};
    if (answer.status !== 200) return { status: answer.status, reason };
    return {
      status: 200,
      upstream: (JSON.parse(answer.body) as { headers: Record<string, string> }).headers,
    };
  }

  test('an opaque token is let in while its server vouches for it, and refused soon after it was taken back', async () => {
    const token = await granted(OPAQUE_RESOURCE);
    expect(token).not.toContain('.');
    for (let n = 0; n < 5; n++) {
      const { status, upstream } = await ask(token);
      expect(status).toBe(200);
      expect(upstream).toMatchObject({ 'x-client': 'plain', 'x-user': 'nobody' });
    }
    expect(await authority.send('/token/revocation', 'plain', { token })).toEqual({});
    await eventually(async () => ((await ask(token)).status === 401 ? true : undefined));
    await eventually(() => {
      const last = engine.decisions().at(-1);
      return last?.reason === 'token_inactive' ? true : undefined;
    });
    expect(JSON.stringify(engine.decisions()) + engine.log()).not.toContain(token);
  });

  test('one that the server never issued is refused', async () => {
    expect((await ask('never-issued')).status).toBe(401);
  });

  test("a user's token stands beside the workload's, opaque or not", async () => {
    const workload = await granted(RESOURCE);
    for (const resource of [RESOURCE, OPAQUE_RESOURCE]) {
      const user = await authority.login('alice', resource);
      const { status, upstream } = await ask(workload, { 'x-user-token': user });
      expect(status).toBe(200);
      expect(upstream).toMatchObject({ 'x-user': 'alice', 'x-client': 'plain' });
      expect(JSON.stringify(engine.decisions()) + engine.log()).not.toContain(user);
    }
    expect((await ask(workload, { 'x-user-token': `${workload.slice(0, -4)}AAAA` })).status).toBe(401);
  });

  test('nothing opaque is let in once the server is gone, and JWTs are', async () => {
    const opaque = await granted(OPAQUE_RESOURCE);
    const jwt = await granted(RESOURCE);
    expect((await ask(opaque)).status).toBe(200);
    expect((await ask(jwt)).status).toBe(200);
    await authority.close();
    await eventually(async () => ((await ask(opaque)).status === 503 ? true : undefined));
    expect((await ask(jwt)).status).toBe(200);
  });
}

afterAll(() => {
  for (const notice of notices) notice.mockRestore();
});
