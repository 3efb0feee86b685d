import type { Envoy } from '../../src/demo/envoy.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { http1 } from './client.js';
import type { EngineProcess } from './engine.js';
import { eventually } from './eventually.js';
import { type Echo, type Mesh, startMesh } from './mesh.js';

const POLICY = `package mesh.authz

default decision := {"allowed": true}

decision := {"allowed": true, "headers": {"x-txn": input.transaction.txn}} if input.transaction

decision := {"allowed": false, "step_up": {"acr_values": ["urn:gold"], "max_age": 300}} if {
	input.request.path == "/pay"
	not input.token.claims.acr == "urn:gold"
}
`;

describeEnvoy('through a real Envoy', () => {
  let mesh: Mesh;
  let engine: EngineProcess;
  let envoy: Envoy;
  let token: string;

  beforeAll(async () => {
    mesh = await startMesh();
    engine = await mesh.engine({
      policy: POLICY,
      token: [
        '  resource_metadata: https://orders.example.org/.well-known/oauth-protected-resource',
        '  transaction:',
        '    trust_domain: example.org',
        `    issuers: [{ issuer: '${mesh.issuer.url}', jwks: '${mesh.issuer.url}/jwks' }]`,
      ].join('\n'),
    });
    envoy = await mesh.envoy(engine.grpc, {
      routes: [{ prefix: '/inner', extensions: { 'countersign.transaction': 'required' } }],
    });
    token = await mesh.issuer.mint();
  }, 120_000);
  afterAll(() => mesh?.close());

  const transaction = (claims: object = {}, header: object = {}) =>
    mesh.issuer.mint(
      { aud: 'example.org', txn: 'txn-7', scope: 'trade', req_wl: mesh.frontend.spiffeId, ...claims },
      { typ: 'txntoken+jwt', ...header },
    );

  async function send(path: string, headers: { [name: string]: string | string[] }) {
    const answer = await http1({
      ...mesh.as(mesh.frontend, envoy),
      path,
      headers: { host: 'localhost', ...headers },
    });
    const body = JSON.parse(answer.body) as Echo & { reason: string };
    return {
      status: answer.status,
      reason: answer.status === 200 ? 'allowed' : body.reason,
      upstream: body.headers,
      challenge: answer.headers['www-authenticate'],
    };
  }
  const bearer = () => ({ authorization: `Bearer ${token}` });

  test('a transaction token is told to the policy, forwarded as it came, and logged by its id alone', async () => {
    const txn = await transaction();
    const { status, upstream } = await send('/inner', { ...bearer(), 'txn-token': txn });
    expect(status).toBe(200);
    expect([upstream['txn-token'], upstream['x-txn']]).toEqual([txn, 'txn-7']);
    const event = await eventually(() => engine.decisions().find((one) => one.transaction !== undefined));
    expect(event.transaction).toEqual({
      issuer: mesh.issuer.url,
      txn: 'txn-7',
      subject: 'frontend',
      requesting_workload: mesh.frontend.spiffeId,
    });
    expect(JSON.stringify(event)).not.toContain(txn.split('.')[2]);
  });

  test('one that is bad, doubled or missing where it is needed is refused', async () => {
    const txn = await transaction();
    const reason = async (headers: { [name: string]: string | string[] }, path = '/orders/7') =>
      (await send(path, { ...bearer(), ...headers })).reason;
    expect(await reason({}, '/inner')).toBe('transaction_token_missing');
    expect(await reason({})).toBe('allowed');
    expect(await reason({ 'txn-token': [txn, txn] })).toBe('transaction_token_duplicate');
    expect(await reason({ 'txn-token': await transaction({ aud: 'example.net' }) })).toBe(
      'transaction_token_invalid',
    );
    expect(await reason({ 'txn-token': token })).toBe('transaction_token_invalid');
    expect(await reason({ 'txn-token': await transaction({ iat: 1_000, exp: 1_060 }) })).toBe(
      'transaction_token_expired',
    );
  });

  test('trap 84: a transaction token is no access token, and none beside it is none', async () => {
    const txn = await transaction();
    expect(
      await send('/orders/7', { authorization: `Bearer ${await transaction({ aud: 'orders' })}` }),
    ).toMatchObject({
      status: 401,
      reason: 'token_type_refused',
    });
    expect(await send('/inner', { 'txn-token': txn })).toMatchObject({
      status: 401,
      reason: 'token_missing',
    });
  });

  test('a policy that wants a stronger login has the client told, and lets in who comes back with one', async () => {
    expect(await send('/pay', bearer())).toMatchObject({
      status: 401,
      reason: 'insufficient_user_authentication',
      challenge:
        'Bearer realm="countersign", error="insufficient_user_authentication", acr_values="urn:gold", max_age="300", resource_metadata="https://orders.example.org/.well-known/oauth-protected-resource"',
    });
    const stronger = await mesh.issuer.mint({ acr: 'urn:gold' });
    expect(await send('/pay', { authorization: `Bearer ${stronger}` })).toMatchObject({ status: 200 });
  });

  test('trap 79: no token: a challenge without an error, that says where to find out more', async () => {
    expect(await send('/orders/7', {})).toMatchObject({
      status: 401,
      challenge:
        'Bearer realm="countersign", resource_metadata="https://orders.example.org/.well-known/oauth-protected-resource"',
    });
  });
});
