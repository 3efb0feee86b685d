import { Agent, request as httpsRequest } from 'node:https';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Envoy } from '../../src/demo/envoy.js';
import { EKU, HOUR, KeyUsageFlags, type LeafOptions, TestCa, type TestCertificate } from '../support/ca.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { http1, tcp } from './client.js';
import type { EngineProcess } from './engine.js';
import { eventually } from './eventually.js';
import { type Echo, type Mesh, startMesh } from './mesh.js';

type Key = TestCertificate & { readonly keyPem: string };

/** HTTP: whoever has an identity. TCP: who is of the namespace of the workload that is called. */
const POLICY = `package mesh.authz
import rego.v1

default decision := {"allowed": false}

decision := {"allowed": true} if input.request

decision := {"allowed": true} if {
  not input.request
  input.identity.trust_domain == input.identity.destination.trust_domain
  input.identity.namespace == input.identity.destination.namespace
  input.identity.destination.service_account == "orders"
}
`;

const now = Date.now();
const DATES = { notBefore: now - HOUR, notAfter: now + HOUR };
const ID = 'spiffe://example.org/ns/shop/sa/frontend';
const { digitalSignature, keyCertSign, cRLSign } = KeyUsageFlags;
const long = (bytes: number) => 'spiffe://example.org/'.padEnd(bytes, 'a');

describeEnvoy('a certificate, through a real Envoy', () => {
  let mesh: Mesh;
  let ca: TestCa;
  let intermediate: TestCa;
  let partner: TestCa;
  let engine: EngineProcess;
  let envoy: Envoy;

  beforeAll(async () => {
    mesh = await startMesh();
    ca = await TestCa.create({ name: 'CN=example', ...DATES });
    intermediate = await TestCa.create({ name: 'CN=intermediate', issuer: ca, ...DATES });
    partner = await TestCa.create({ name: 'CN=partner', ...DATES });
    await writeFile(join(mesh.folder, 'partner.pem'), partner.certificate.pem);
    await writeFile(join(mesh.folder, 'empty.json'), '{"keys": []}');
    engine = await mesh.engine({
      policy: POLICY,
      tokenMode: 'off',
      bundle: ca.certificate.pem,
      identity: `
    partner.example: { bundle: ./partner.pem }
    withdrawn.example: { bundle: ./empty.json }`,
    });
    // Envoy passes on whatever can finish a handshake: what is refused here, Countersign refused.
    envoy = await mesh.envoy(engine.grpc, { acceptUntrusted: true });
  }, 120_000);
  afterAll(() => mesh?.close());

  const issue = (options: LeafOptions = {}, from = ca): Promise<Key> =>
    from.issueWithKey({ ...DATES, uris: [ID], ...options });
  const as = (who: Key, chain = '') => ({
    ca: mesh.domain.bundlePem,
    certPem: who.pem + chain,
    keyPem: who.keyPem,
  });

  async function seen(who: Key, chain = '', headers: { [name: string]: string } = {}): Promise<string> {
    const { status, body } = await http1({ ...as(who, chain), port: envoy.httpPort, headers });
    if (status === 200) return (JSON.parse(body) as Echo).headers['x-countersign-spiffe-id'] as string;
    return (JSON.parse(body) as { reason: string }).reason;
  }

  test('that is an X509-SVID makes its workload known', async () => {
    expect(await seen(await issue())).toBe(ID);
    expect(await seen(await issue({ extendedKeyUsage: null }))).toBe(ID);
    expect(await seen(await issue({ dns: ['frontend.shop'] }))).toBe(ID);
    const partners = 'spiffe://partner.example/a';
    expect(await seen(await issue({ uris: [partners] }, partner))).toBe(partners);
  });

  test('trap 24: with two URIs is refused, whichever comes first', async () => {
    expect(await seen(await issue({ uris: [ID, 'spiffe://example.org/b'] }))).toBe('spiffe_id_ambiguous');
    expect(await seen(await issue({ uris: ['https://example.org/', ID] }))).toBe('spiffe_id_ambiguous');
    expect(await seen(await issue({ uris: [ID, ID] }))).toBe('spiffe_id_ambiguous');
  });

  test('trap 26: of a rogue CA is refused under ACCEPT_UNTRUSTED', async () => {
    const rogue = await TestCa.create({ name: 'CN=example', ...DATES });
    expect(await seen(await issue({}, rogue))).toBe('certificate_untrusted');
    expect(await seen(await issue({}, rogue), rogue.certificate.pem)).toBe('certificate_untrusted');
  });

  test('trap 27: whose intermediate only Envoy saw is untrusted', async () => {
    const below = await issue({}, intermediate);
    expect(await seen(below)).toBe('certificate_untrusted');
    expect(await seen(below, intermediate.certificate.pem)).toBe('certificate_untrusted');
  });

  test('trap 29: with DNS names or a subject alone is no SPIFFE ID', async () => {
    expect(await seen(await issue({ uris: [], dns: ['frontend.shop'] }))).toBe('spiffe_id_missing');
    expect(await seen(await issue({ uris: [], dns: [ID] }))).toBe('spiffe_id_missing');
    expect(await seen(await issue({ uris: [] }))).toBe('spiffe_id_missing');
    expect(await seen(await issue({ uris: ['https://example.org/a'] }))).toBe('spiffe_id_invalid');
  });

  test('trap 30: that expires while the connection lives is refused from then on', async () => {
    const short = await issue({ notAfter: Math.ceil(Date.now() / 1000) * 1000 + 2000 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const connections = new Set<number | undefined>();
    const ask = () =>
      new Promise<[number, string]>((resolve, reject) => {
        const { ca: roots, certPem: cert, keyPem: key } = as(short);
        const sent = httpsRequest(
          { agent, host: '127.0.0.1', port: envoy.httpPort, servername: 'localhost', ca: roots, cert, key },
          (response) => {
            connections.add(response.socket.localPort);
            let body = '';
            response.setEncoding('utf8').on('data', (text: string) => (body += text));
            response.on('end', () => resolve([response.statusCode!, body]));
          },
        );
        sent.on('error', reject).end();
      });
    expect((await ask())[0]).toBe(200);
    await sleep(3500);
    const [status, body] = await ask();
    expect([status, (JSON.parse(body) as { reason: string }).reason]).toEqual([403, 'certificate_expired']);
    expect(connections.size).toBe(1);
    agent.destroy();
  }, 20_000);

  test('that is out of its time is refused', async () => {
    expect(await seen(await issue({ notAfter: now - 1000 }))).toBe('certificate_expired');
    expect(await seen(await issue({ notBefore: now + HOUR / 2 }))).toBe('certificate_not_yet_valid');
  });

  test('trap 31: of a CA is refused', async () => {
    expect(await seen(await issue({ ca: true }))).toBe('certificate_usage_invalid');
  });

  test.each([
    ['keyCertSign', digitalSignature | keyCertSign],
    ['cRLSign', digitalSignature | cRLSign],
  ])('trap 32: with %s is refused', async (_, keyUsage) => {
    expect(await seen(await issue({ keyUsage }))).toBe('certificate_usage_invalid');
  });

  test('whose key usage is missing or not critical, or whose extended one is for one side, is refused', async () => {
    for (const options of [
      { keyUsage: null },
      { keyUsageCritical: false },
      { extendedKeyUsage: [EKU.clientAuth] },
    ])
      expect(await seen(await issue(options))).toBe('certificate_usage_invalid');
  });

  test.each([
    [33, 'spiffe://example.org'],
    [33, 'spiffe://example.org/'],
    [34, 'spiffe://Example.org/a'],
    [34, 'SPIFFE://example.org/a'],
    [35, 'spiffe://example.org:443/a'],
    [35, 'spiffe://user@example.org/a'],
    [36, 'spiffe://example.org/%2e%2e/a'],
    [36, 'spiffe://example.org/a/../b'],
    [36, 'spiffe://example.org//a'],
    [36, 'spiffe://example.org/a/'],
    [37, 'spiffe://example.org/a?b'],
    [37, 'spiffe://example.org/a#b'],
    [38, long(2049)],
  ])('trap %i: for %.60s is refused', async (_, uri) => {
    expect(await seen(await issue({ uris: [uri] }))).toBe('spiffe_id_invalid');
  });

  test('trap 38: for an ID of 2048 bytes is accepted', async () => {
    expect(await seen(await issue({ uris: [long(2048)] }))).toBe(long(2048));
  });

  test("trap 39: of one domain is refused by another domain's authorities", async () => {
    expect(await seen(await issue({}, partner))).toBe('certificate_untrusted');
    expect(await seen(await issue({ uris: ['spiffe://partner.example/a'] }))).toBe('certificate_untrusted');
    expect(await seen(await issue({ uris: ['spiffe://other.example/a'] }))).toBe('trust_domain_unknown');
  });

  test('trap 40: of a domain whose bundle is empty is refused, and no other domain is touched by that', async () => {
    expect(await seen(await issue({ uris: ['spiffe://withdrawn.example/a'] }))).toBe(
      'trust_bundle_unavailable',
    );
    expect(await seen(await issue())).toBe(ID);
  });

  test('trap 44: is not outdone by x-forwarded-client-cert', async () => {
    const other = await issue({ uris: ['spiffe://example.org/admin'] });
    const forged = `Hash=${other.hash};Cert="${other.encoded}";URI=spiffe://example.org/admin`;
    expect(await seen(await issue(), '', { 'x-forwarded-client-cert': forged })).toBe(ID);
  });

  describe('trap 23: on a TCP connection', () => {
    const through = async (who: Key) =>
      (await tcp({ ...as(who), port: envoy.tcpPort })).includes('HTTP/1.1 200');

    test('decides alone, by who calls and who is called', async () => {
      expect(await through(await issue())).toBe(true);
      expect(await through(await issue({ uris: ['spiffe://example.org/ns/other/sa/frontend'] }))).toBe(false);
      expect(await through(await issue({ uris: ['spiffe://example.org/frontend'] }))).toBe(false);
      const partners = await issue({ uris: ['spiffe://partner.example/ns/shop/sa/frontend'] }, partner);
      expect(await through(partners)).toBe(false);
    });

    test('closes it where it is none, or no longer one', async () => {
      expect(await through(await issue({ uris: [ID, ID] }))).toBe(false);
      expect(await through(await issue({ ca: true }))).toBe(false);
      expect(await through(await issue({ notAfter: now - 1000 }))).toBe(false);
      expect(await through(await issue({}, intermediate))).toBe(false);
      await eventually(() => engine.decisions().at(-1)?.reason === 'certificate_untrusted' || undefined);
    });
  });

  test('is told with the workload that is called', async () => {
    const who = await issue();
    await seen(who);
    const identity = await eventually(() => {
      const inputs = engine.decisions().map(({ input }) => input as { identity?: { fingerprint: string } });
      return inputs.find((input) => input?.identity?.fingerprint === who.hash)?.identity;
    });
    expect(identity).toMatchObject({
      spiffe_id: ID,
      namespace: 'shop',
      service_account: 'frontend',
      source: 'certificate',
      destination: {
        spiffe_id: 'spiffe://example.org/ns/shop/sa/orders',
        namespace: 'shop',
        service_account: 'orders',
      },
    });
  });
});
