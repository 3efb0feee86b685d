import { createHash, X509Certificate } from 'node:crypto';
import type { Envoy } from '../../src/demo/envoy.js';
import type { Svid } from '../../src/demo/trust-domain.js';
import { DpopKey, type ProofOf } from '../support/dpop.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { http1 } from './client.js';
import type { EngineProcess } from './engine.js';
import { eventually } from './eventually.js';
import { type Echo, type Mesh, startMesh } from './mesh.js';

/** What may be asked here is for binding alone to say. */
const POLICY = `package mesh.authz
decision := {"allowed": true, "headers": {"x-binding": concat(" ", input.token.bindings)}}
`;
const HTU = 'https://localhost/orders/7';

describeEnvoy('a token in the wrong hands, through a real Envoy', () => {
  let mesh: Mesh;
  let engine: EngineProcess;
  let envoy: Envoy;
  let key: DpopKey;

  beforeAll(async () => {
    mesh = await startMesh();
    key = await DpopKey.create();
    engine = await mesh.engine({
      policy: POLICY,
      issuer: "      actor: { spiffe_id: 'spiffe://example.org/ns/shop/sa/{sub}' }",
    });
    envoy = await mesh.envoy(engine.grpc, {
      routes: [
        { prefix: '/bound', extensions: { 'countersign.binding': 'required' } },
        { prefix: '/proof', extensions: { 'countersign.binding': 'dpop' } },
      ],
    });
  }, 120_000);
  afterAll(() => mesh?.close());

  async function send(workload: Svid, headers: { [name: string]: string | string[] }, path = '/orders/7') {
    const answer = await http1({
      ...mesh.as(workload, envoy),
      path,
      headers: { host: 'localhost', ...headers },
    });
    const body = JSON.parse(answer.body) as Echo & { reason: string; decision_id: string };
    return {
      status: answer.status,
      reason: answer.status === 200 ? 'allowed' : body.reason,
      binding: answer.status === 200 ? body.headers['x-binding'] : undefined,
      challenge: answer.headers['www-authenticate'],
      nonce: answer.headers['dpop-nonce'],
      id: body.decision_id,
    };
  }
  const proving = async (token: string, of: Partial<ProofOf> = {}, by = key) => ({
    authorization: `DPoP ${token}`,
    dpop: await by.proof({ htu: HTU, token, ...of }),
  });
  const logged = (id: string) =>
    eventually(() => engine.decisions().find((event) => event.decision_id === id));

  /** The client of RFC 9449 section 8: it repeats a request for which it needs a nonce. */
  async function sendProving(workload: Svid, token: string, of: Partial<ProofOf> = {}, path?: string) {
    const first = await send(workload, await proving(token, of), path);
    if (first.reason !== 'dpop_nonce_required') return first;
    return send(workload, await proving(token, { ...of, nonce: String(first.nonce) }), path);
  }

  test('bound to a certificate: the owner gets through, the thief is told by name', async () => {
    const token = await mesh.issuer.mint({ cnf: { 'x5t#S256': thumbprint(mesh.frontend) } });
    const bearer = { authorization: `Bearer ${token}` };
    expect(await send(mesh.frontend, bearer)).toMatchObject({ status: 200, binding: 'x5t#S256' });
    const stolen = await send(mesh.reporting, bearer);
    expect(stolen).toMatchObject({ status: 401, reason: 'token_binding_mismatch' });
    expect(await logged(stolen.id)).toMatchObject({
      spiffe_id: mesh.reporting.spiffeId,
      theft: {
        presented_by: mesh.reporting.spiffeId,
        issuer: mesh.issuer.url,
        subject: 'frontend',
        client_id: 'frontend',
        bound_by: 'x5t#S256',
        bound_to: thumbprint(mesh.frontend),
      },
    });
  });

  describe('bound to a key', () => {
    let token: string;
    beforeAll(async () => void (token = await mesh.issuer.mint({ cnf: { jkt: key.thumbprint } })));

    const isTheft = async (id: string) =>
      expect(await logged(id)).toMatchObject({
        theft: {
          presented_by: mesh.reporting.spiffeId,
          subject: 'frontend',
          bound_by: 'dpop',
          bound_to: key.thumbprint,
        },
      });

    test('the owner gets through, with a nonce while the server is young', async () => {
      expect(await sendProving(mesh.frontend, token)).toMatchObject({ status: 200, binding: 'dpop' });
    });

    test('trap 72: without a proof it is refused', async () => {
      const answer = await send(mesh.reporting, { authorization: `Bearer ${token}` });
      expect(answer).toMatchObject({
        status: 401,
        reason: 'dpop_proof_missing',
        challenge: expect.stringMatching(/^DPoP realm="countersign", error="invalid_token", algs="ES256 /),
      });
      await isTheft(answer.id);
    });

    test("with the thief's own proof it is refused", async () => {
      const answer = await send(mesh.reporting, await proving(token, {}, await DpopKey.create()));
      expect(answer).toMatchObject({ status: 401, reason: 'token_binding_mismatch' });
      await isTheft(answer.id);
    });

    test('trap 75: with a proof that was seen on its way it is refused', async () => {
      const { nonce } = await send(mesh.frontend, await proving(token));
      const seen = await proving(token, { ...(nonce && { nonce: String(nonce) }) });
      expect(await send(mesh.frontend, seen)).toMatchObject({ status: 200 });
      const answer = await send(mesh.reporting, seen);
      expect(answer).toMatchObject({
        status: 401,
        reason: 'dpop_proof_replayed',
        challenge: expect.stringContaining('error="invalid_dpop_proof"'),
      });
      await isTheft(answer.id);
    });

    test('trap 73: a proof is held against the target without the query', async () => {
      const path = '/orders/7?page=2';
      expect(await sendProving(mesh.frontend, token, {}, path)).toMatchObject({ status: 200 });
      expect(await sendProving(mesh.frontend, token, { htu: `${HTU}?page=3` }, path)).toMatchObject({
        status: 200,
      });
      expect(
        await sendProving(mesh.reporting, token, { htu: 'https://localhost/orders/8' }, path),
      ).toMatchObject({
        reason: 'dpop_proof_mismatch',
      });
    });

    test('trap 74: a proof for another token is refused', async () => {
      const other = await mesh.issuer.mint({ cnf: { jkt: key.thumbprint } });
      const { dpop } = await proving(other);
      expect(await send(mesh.reporting, { authorization: `DPoP ${token}`, dpop })).toMatchObject({
        status: 401,
        reason: 'dpop_proof_mismatch',
        challenge: expect.stringContaining('error="invalid_dpop_proof"'),
      });
    });

    test('trap 76: a proof that shows the private key is refused', async () => {
      const header = { jwk: await key.privateJwk() };
      expect(await send(mesh.frontend, await proving(token, { header }))).toMatchObject({
        status: 401,
        reason: 'dpop_proof_invalid',
      });
    });

    test('trap 77: two proofs are refused', async () => {
      const { authorization, dpop } = await proving(token);
      const two = { authorization, dpop: [dpop, await key.proof({ htu: HTU, token })] };
      expect(await send(mesh.frontend, two)).toMatchObject({ status: 401, reason: 'dpop_proof_duplicate' });
    });

    test('trap 102: neither token nor proof is in the log', async () => {
      const headers = await proving(token, {}, await DpopKey.create());
      const { id } = await send(mesh.reporting, headers);
      const text = JSON.stringify(await logged(id));
      for (const secret of [token, headers.dpop]) expect(text).not.toContain(secret.split('.')[2]);
    });

    test('and to a certificate: each has to hold', async () => {
      const both = await mesh.issuer.mint({
        cnf: { jkt: key.thumbprint, 'x5t#S256': thumbprint(mesh.frontend) },
      });
      expect(await sendProving(mesh.frontend, both)).toMatchObject({ binding: 'x5t#S256 dpop' });
      expect(await sendProving(mesh.reporting, both)).toMatchObject({ reason: 'token_binding_mismatch' });
    });
  });

  test('trap 68: delegated: only the actor who acts now may present it', async () => {
    const token = await mesh.issuer.mint({
      sub: 'alice',
      txn: 't1',
      act: { sub: 'frontend', act: { sub: 'reporting' } },
    });
    const bearer = { authorization: `Bearer ${token}` };
    expect(await send(mesh.frontend, bearer)).toMatchObject({ status: 200, binding: 'spiffe' });
    const nested = await send(mesh.reporting, bearer);
    expect(nested).toMatchObject({ status: 401, reason: 'token_binding_mismatch' });
    expect(await logged(nested.id)).toMatchObject({
      theft: {
        presented_by: mesh.reporting.spiffeId,
        subject: 'alice',
        bound_by: 'spiffe',
        bound_to: mesh.frontend.spiffeId,
      },
    });
    const event = await eventually(() =>
      engine.decisions().find(({ delegation }) => delegation !== undefined),
    );
    expect(event).toMatchObject({
      outcome: 'allow',
      issuer: mesh.issuer.url,
      subject: 'alice',
      delegation: { actors: [{ sub: 'frontend' }, { sub: 'reporting' }], txn: 't1', jti: expect.any(String) },
    });
  });

  test('trap 78: bound in a way that nobody knows: it is no bearer token', async () => {
    const token = await mesh.issuer.mint({ cnf: { kid: 'k1' } });
    expect(await send(mesh.frontend, { authorization: `Bearer ${token}` })).toMatchObject({
      status: 401,
      reason: 'token_binding_unsupported',
    });
  });

  test('a route that asks for a binding refuses plain bearer tokens, and says what would do', async () => {
    const plain = { authorization: `Bearer ${await mesh.issuer.mint()}` };
    expect(await send(mesh.frontend, plain)).toMatchObject({ status: 200, binding: '' });
    expect(await send(mesh.frontend, plain, '/bound')).toMatchObject({
      status: 401,
      reason: 'token_binding_required',
    });
    expect(await send(mesh.frontend, {}, '/proof')).toMatchObject({
      status: 401,
      reason: 'token_missing',
      challenge: expect.stringMatching(/^DPoP realm="countersign", algs="/),
    });
  });

  test('a token that its claims give to one workload is refused of another', async () => {
    const strict = await mesh.engine({
      policy: POLICY,
      issuer:
        "      workload: { claim: client_id, spiffe_ids: { frontend: 'spiffe://example.org/ns/shop/sa/frontend' } }",
    });
    const before = [engine, envoy] as const;
    [engine, envoy] = [strict, await mesh.envoy(strict.grpc)];
    try {
      const bearer = { authorization: `Bearer ${await mesh.issuer.mint()}` };
      expect(await send(mesh.frontend, bearer)).toMatchObject({ status: 200, binding: 'spiffe' });
      const stolen = await send(mesh.reporting, bearer);
      expect(stolen).toMatchObject({ status: 401, reason: 'token_binding_mismatch' });
      expect(await logged(stolen.id)).toMatchObject({
        theft: {
          presented_by: mesh.reporting.spiffeId,
          client_id: 'frontend',
          bound_by: 'spiffe',
          bound_to: mesh.frontend.spiffeId,
        },
      });
    } finally {
      [engine, envoy] = before;
    }
  }, 60_000);

  test('trap 75: a proof is used once, whichever of the workers gets it', async () => {
    const several = await mesh.engine({ policy: POLICY, more: 'workers: 2\n' });
    const before = [engine, envoy] as const;
    [engine, envoy] = [several, await mesh.envoy(several.grpc)];
    try {
      const token = await mesh.issuer.mint({ cnf: { jkt: key.thumbprint } });
      const { nonce } = await send(mesh.frontend, await proving(token));
      for (let n = 0; n < 3; n++) {
        const seen = await proving(token, { ...(nonce && { nonce: String(nonce) }) });
        // Each over a connection of its own, and all at once, so that no worker has the others' to look at.
        const answers = await Promise.all(Array.from({ length: 12 }, () => send(mesh.frontend, seen)));
        const reasons = answers.map(({ reason }) => reason).sort();
        expect(reasons).toEqual(['allowed', ...Array<string>(11).fill('dpop_proof_replayed')]);
      }
    } finally {
      [engine, envoy] = before;
    }
  }, 60_000);

  test('where each proof needs a nonce, every answer brings the next one', async () => {
    const strict = await mesh.engine({ policy: POLICY, token: '  dpop: { nonce: always }' });
    const before = [engine, envoy] as const;
    [engine, envoy] = [strict, await mesh.envoy(strict.grpc)];
    try {
      const token = await mesh.issuer.mint({ cnf: { jkt: key.thumbprint } });
      const first = await send(mesh.frontend, await proving(token));
      expect(first).toMatchObject({
        status: 401,
        reason: 'dpop_nonce_required',
        challenge: expect.stringContaining('error="use_dpop_nonce"'),
        nonce: expect.any(String),
      });
      for (let nonce = first.nonce, n = 0; n < 3; n++) {
        const next = await send(mesh.frontend, await proving(token, { nonce: String(nonce) }));
        expect(next).toMatchObject({ status: 200, nonce: expect.any(String) });
        nonce = next.nonce;
      }
    } finally {
      [engine, envoy] = before;
    }
  }, 60_000);
});

function thumbprint(svid: Svid): string {
  return createHash('sha256').update(new X509Certificate(svid.certPem).raw).digest('base64url');
}
