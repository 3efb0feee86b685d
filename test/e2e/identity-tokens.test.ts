import { randomUUID } from 'node:crypto';
import type { Envoy } from '../../src/demo/envoy.js';
import { digest, JwtKey } from '../support/jwt-authority.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { http1, tcp } from './client.js';
import type { EngineProcess } from './engine.js';
import { eventually } from './eventually.js';
import { type Echo, type Mesh, startMesh } from './mesh.js';

const POLICY = `package mesh.authz
import rego.v1
decision := {"allowed": true}
`;
const ID = 'spiffe://example.org/ns/shop/sa/frontend';

describeEnvoy('a workload that shows a token instead of a certificate, through a real Envoy', () => {
  let mesh: Mesh;
  let authority: JwtKey;
  const engines: EngineProcess[] = [];

  beforeAll(async () => {
    mesh = await startMesh();
    authority = await JwtKey.create();
  }, 60_000);
  afterAll(() => mesh?.close());

  async function start(identity: string, tokenMode = 'optional'): Promise<Envoy> {
    const bundle = JSON.stringify({ keys: [authority.entry()] });
    const engine = await mesh.engine({ policy: POLICY, tokenMode, bundle, identity });
    engines.push(engine);
    return mesh.envoy(engine.grpc, { certificateOptional: true });
  }

  async function seen(port: number, headers: Record<string, string | string[]>, path = '/orders/7') {
    const { status, body } = await http1({ port, ca: mesh.domain.bundlePem, path, headers });
    if (status === 200) return (JSON.parse(body) as Echo).headers['x-countersign-spiffe-id'];
    return `${status} ${(JSON.parse(body) as { reason: string }).reason}`;
  }

  const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
  const svid = (claims: object = {}, header: { typ?: string } = {}) =>
    authority.sign({ sub: ID, aud: 'mesh', exp: inSeconds(300), ...claims }, header);

  describe('a JWT-SVID', () => {
    let port: number;
    let tcpPort: number;
    beforeAll(async () => {
      ({ httpPort: port, tcpPort } = await start(`
  source: jwt_svid
  jwt_svid: { audiences: [mesh] }`));
    }, 60_000);

    test('makes the workload known, beside an access token or without one', async () => {
      const headers = { 'x-spiffe-jwt-svid': await svid() };
      expect(await seen(port, headers)).toBe(ID);
      const access = await mesh.issuer.mint({ scope: 'orders:read' });
      expect(await seen(port, { ...headers, authorization: `Bearer ${access}` })).toBe(ID);
    });

    test('is refused where it is not one', async () => {
      expect(await seen(port, {})).toBe('403 jwt_svid_missing');
      expect(await seen(port, { 'x-spiffe-jwt-svid': await svid({ aud: 'other' }) })).toBe(
        '403 jwt_svid_audience_mismatch',
      );
      expect(await seen(port, { 'x-spiffe-jwt-svid': await svid({ exp: inSeconds(-1) }) })).toBe(
        '403 jwt_svid_expired',
      );
      const twice = [await svid(), await svid()];
      expect(await seen(port, { 'x-spiffe-jwt-svid': twice })).toBe('403 jwt_svid_invalid');
      const access = await mesh.issuer.mint({ scope: 'orders:read' });
      expect(await seen(port, { 'x-spiffe-jwt-svid': access })).toBe('403 jwt_svid_invalid');
      expect(await tcp({ port: tcpPort, ca: mesh.domain.bundlePem })).toBe('');
    });

    test('is no access token', async () => {
      const token = await svid({ aud: 'orders' });
      const headers = { 'x-spiffe-jwt-svid': await svid(), authorization: `Bearer ${token}` };
      expect(await seen(port, headers)).toBe('401 token_issuer_unknown');
    });

    test('binds no access token to a certificate that it does not have', async () => {
      const bound = await mesh.issuer.mint({ cnf: { 'x5t#S256': digest('x') } });
      const headers = { 'x-spiffe-jwt-svid': await svid(), authorization: `Bearer ${bound}` };
      expect(await seen(port, headers)).toBe('401 token_binding_mismatch');
    });

    test('stands in no log', async () => {
      const token = await svid({ jti: randomUUID() });
      await seen(port, { 'x-spiffe-jwt-svid': token }, '/orders/logged');
      const engine = engines[0]!;
      await eventually(() => JSON.stringify(engine.decisions()).includes('/orders/logged') || undefined);
      const text = JSON.stringify(engine.decisions()) + engine.log();
      for (const part of token.split('.').slice(1)) expect(text).not.toContain(part);
    });
  });

  test('a JWT-SVID may stand in Authorization, where there are no access tokens', async () => {
    const { httpPort } = await start(
      `
  source: jwt_svid
  jwt_svid: { header: authorization, audiences: [mesh] }`,
      '"off"',
    );
    expect(await seen(httpPort, { authorization: `Bearer ${await svid()}` })).toBe(ID);
    expect(await seen(httpPort, { authorization: 'Basic eDp5' })).toBe('403 jwt_svid_missing');
  }, 60_000);

  describe("WIMSE's token with its proof", () => {
    let port: number;
    let own: JwtKey;
    beforeAll(async () => {
      own = await JwtKey.create('ES256', 'own');
      ({ httpPort: port } = await start(`
  source: wimse
  wimse: { audiences: ['https://orders.example.org'] }`));
    }, 60_000);

    const wit = () =>
      authority.sign(
        { sub: ID, exp: inSeconds(300), cnf: { jwk: { ...own.publicJwk, alg: 'ES256' } } },
        { typ: 'wit+jwt' },
      );
    const proven = async (claims: object = {}, path = '/orders/7') => {
      const token = await wit();
      const proof = {
        ...{ aud: `https://orders.example.org${path}`, exp: inSeconds(60), iat: inSeconds(0) },
        ...{ jti: randomUUID(), wth: digest(token) },
        ...claims,
      };
      return {
        'workload-identity-token': token,
        'workload-proof-token': await own.sign(proof, { typ: 'wpt+jwt' }),
      };
    };

    test('makes the workload known once', async () => {
      const headers = await proven();
      expect(await seen(port, headers)).toBe(ID);
      expect(await seen(port, headers)).toBe('400 wpt_replayed');
    });

    test('is for this request, with or without its query', async () => {
      expect(await seen(port, await proven(), '/orders/7?x=1')).toBe(ID);
      expect(await seen(port, await proven(), '/orders/8')).toBe('400 wpt_invalid');
      expect(await seen(port, { ...(await proven()), host: 'orders.example.org' }, '/admin')).toBe(
        '400 wpt_invalid',
      );
    });

    test('trap 85: is refused beside an access token that its proof does not hash', async () => {
      const access = await mesh.issuer.mint({ scope: 'orders:read' });
      const authorization = `Bearer ${access}`;
      expect(await seen(port, { ...(await proven()), authorization })).toBe('400 wpt_invalid');
      expect(await seen(port, { ...(await proven({ ath: digest(access) })), authorization })).toBe(ID);
    });

    test('trap 83: is no bearer token', async () => {
      expect(await seen(port, { authorization: `Bearer ${await wit()}` })).toBe('400 wit_missing');
      const { 'workload-identity-token': token } = await proven();
      expect(await seen(port, { 'workload-identity-token': token })).toBe('400 wpt_missing');
    });
  });
});
