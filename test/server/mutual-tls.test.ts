import { X509Certificate } from 'node:crypto';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { encodeCheckResponse } from '../../src/envoy/encode-response.js';
import { isRefusal, refuse, type Refusal } from '../../src/errors/refusal.js';
import { matchSpiffeIds } from '../../src/identity/spiffe-id-pattern.js';
import { parseTrustBundle, TrustBundles } from '../../src/identity/trust-bundle.js';
import { mintTrustDomain, type Svid, type TrustDomain } from '../../src/demo/trust-domain.js';
import type { UnaryCall } from '../../src/server/call.js';
import { createClients } from '../../src/server/clients.js';
import { startGrpcServer, type GrpcServer } from '../../src/server/grpc-server.js';
import type { ConnectionCode, ServerCertificate } from '../../src/server/mutual-tls.js';
import { authorizationService } from '../../src/server/proto.js';
import { EKU, TestCa } from '../support/ca.js';
import { comeTrue } from '../support/come-true.js';

const Client = makeGenericClientConstructor(authorizationService, 'Authorization');
const HOUR = 3_600_000;
const DENIED = encodeCheckResponse({ status: { code: 7, message: 'reached' } });

const home = await mintTrustDomain('example.org', { intermediate: true });
const partner = await mintTrustDomain('partner.example');
const own = await home.issueSvid('/countersign', { dns: ['localhost'] });
const gateway = await home.issueSvid('/ns/edge/sa/gateway');
const stranger = await home.issueSvid('/ns/shop/sa/frontend');

/** What the server has to go by, which tests change while it runs. */
let bundles: TrustBundles;
let shown: ServerCertificate | undefined;
let revoked: string[];
let skew: number;
let refusals: Refusal<ConnectionCode>[];
let server: GrpcServer;
const now = () => Date.now() + skew;
const codes = () => refusals.map(({ code }) => code);

function trust(...domains: TrustDomain[]): void {
  bundles = new TrustBundles(
    domains.map(({ name, bundlePem }) => {
      const bundle = parseTrustBundle(name, bundlePem);
      if (isRefusal(bundle)) throw new Error(bundle.detail);
      return bundle;
    }),
    1,
  );
}

function certificate({ chainPem, keyPem }: Svid): ServerCertificate {
  return { chain: chainPem, key: keyPem, notAfter: Date.parse(new X509Certificate(chainPem).validTo) };
}

async function start(
  limits: { handshakeTimeout?: number; maxHandshakes?: number } = {},
  check = (call: UnaryCall) => call.answer(DENIED),
): Promise<void> {
  server = await startGrpcServer({
    address: '127.0.0.1:0',
    check,
    tls: {
      certificate: () => shown,
      clients: createClients({
        bundles: { current: () => bundles },
        accepts: matchSpiffeIds(['spiffe://example.org/ns/edge/**', 'spiffe://partner.example/envoy']),
        revoked: ({ spiffeId }) =>
          revoked.includes(spiffeId) ? refuse('identity_revoked', 'by the test') : undefined,
        now,
      }),
      onRefusal: (refusal) => void refusals.push(refusal),
      now,
      grace: 2_000,
      ...limits,
    },
  });
}

beforeEach(async () => {
  trust(home, partner);
  shown = certificate(own);
  revoked = [];
  skew = 0;
  refusals = [];
});
const clients: { close(): unknown }[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.drain(0);
});

interface Shows {
  readonly keyPem: string;
  readonly chainPem: string;
}

/** A client that asks over one connection, as Envoy does. */
function client(svid: Shows | undefined) {
  const made = new Client(
    server.address,
    credentials.createSsl(
      Buffer.from(home.bundlePem),
      svid && Buffer.from(svid.keyPem),
      svid && Buffer.from(svid.chainPem),
    ),
    {
      'grpc.ssl_target_name_override': 'localhost',
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.use_local_subchannel_pool': 1,
    },
  );
  clients.push(made);
  const { path, requestSerialize, responseDeserialize } = authorizationService.Check!;
  return () =>
    new Promise<string>((resolve) =>
      made.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        {},
        { deadline: Date.now() + 5_000 },
        (error: ServiceError | null, response) =>
          resolve(
            error ? `error ${error.code}` : (response as { status: { message: string } }).status.message,
          ),
      ),
    );
}

/** A bare TLS connection; resolves with what became of it. */
function handshake(options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({
    port: Number(server.address.split(':')[1]),
    host: '127.0.0.1',
    servername: 'localhost',
    ca: home.bundlePem,
    cert: gateway.chainPem,
    key: gateway.keyPem,
    ALPNProtocols: ['h2'],
    ...options,
  });
  clients.push({ close: () => socket.destroy() });
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

const until = (holds: () => boolean) => comeTrue(() => expect(holds()).toBe(true));

const closed = (socket: Socket) =>
  new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (data: Buffer) => (text += data.toString('latin1')));
    socket.on('error', () => {});
    if (socket.destroyed) resolve(text);
    else socket.once('close', () => resolve(text));
  });

describe('the endpoint over mutual TLS', () => {
  test('answers a client that configuration names, whatever it has between itself and its root', async () => {
    await start();
    expect(await client(gateway)()).toBe('reached');
    expect(await client(await partner.issueSvid('/envoy'))()).toBe('reached');
    expect(refusals).toEqual([]);
  });

  test.each<[string, ConnectionCode, () => Promise<Shows | undefined>]>([
    ['a workload that is not named', 'client_not_accepted', async () => stranger],
    [
      'one of another trust domain, under a path that is accepted of this one',
      'client_not_accepted',
      () => partner.issueSvid('/ns/edge/sa/gateway'),
    ],
    ['no certificate', 'certificate_missing', async () => undefined],
    [
      'one of a trust domain that nobody knows',
      'trust_domain_unknown',
      async () => (await mintTrustDomain('stranger.example')).issueSvid('/ns/edge/sa/gateway'),
    ],
    [
      'one that a foreign authority made in our name',
      'certificate_untrusted',
      async () => (await mintTrustDomain('example.org')).issueSvid('/ns/edge/sa/gateway'),
    ],
    [
      'an expired one',
      'certificate_expired',
      () => home.issueSvid('/ns/edge/sa/gateway', { notBefore: Date.now() - 30_000, ttlMs: 10_000 }),
    ],
    [
      'one of tomorrow',
      'certificate_not_yet_valid',
      () => home.issueSvid('/ns/edge/sa/gateway', { notBefore: Date.now() + HOUR / 2 }),
    ],
    [
      'a leaf without the intermediate that it needs',
      'certificate_untrusted',
      async () => ({ ...gateway, chainPem: gateway.certPem }),
    ],
  ])('ends the connection of %s without an answer: %s', async (_, code, shows) => {
    await start();
    expect(await client(await shows())()).toMatch(/^error 14$/);
    expect(new Set(codes())).toEqual(new Set([code]));
    expect(refusals[0]!.detail).not.toMatch(/PRIVATE|-----/);
  });

  test("takes no chain that ends in another domain's root for this domain's, though both are trusted", async () => {
    const authority = await TestCa.create({
      notBefore: Date.now() - HOUR,
      notAfter: Date.now() + HOUR,
      name: 'CN=partner',
    });
    trust(home, { ...partner, bundlePem: authority.certificate.pem });
    const forged = await authority.issueWithKey({
      notBefore: Date.now() - HOUR,
      notAfter: Date.now() + HOUR,
      uris: [gateway.spiffeId],
    });
    const honest = await authority.issueWithKey({
      notBefore: Date.now() - HOUR,
      notAfter: Date.now() + HOUR,
      uris: ['spiffe://partner.example/envoy'],
    });
    await start();
    expect(await client({ chainPem: forged.pem, keyPem: forged.keyPem })()).toBe('error 14');
    expect(codes()[0]).toBe('certificate_untrusted');
    expect(await client({ chainPem: honest.pem, keyPem: honest.keyPem })()).toBe('reached');
  });

  test('takes no certificate that is no X.509-SVID', async () => {
    const authority = await TestCa.create({ notBefore: Date.now() - HOUR, notAfter: Date.now() + HOUR });
    trust({ ...home, bundlePem: authority.certificate.pem });
    const dates = { notBefore: Date.now() - HOUR, notAfter: Date.now() + HOUR, uris: [gateway.spiffeId] };
    await start();
    for (const [leaf, code] of [
      [
        await authority.issueWithKey({ ...dates, extendedKeyUsage: [EKU.clientAuth] }),
        'certificate_usage_invalid',
      ],
      [
        await authority.issueWithKey({ ...dates, uris: [...dates.uris, 'spiffe://example.org/other'] }),
        'spiffe_id_ambiguous',
      ],
      [await authority.issueWithKey({ ...dates, uris: [], dns: ['gateway'] }), 'spiffe_id_missing'],
    ] as const) {
      refusals = [];
      expect(await client({ chainPem: leaf.pem, keyPem: leaf.keyPem })()).toBe('error 14');
      expect(codes()[0]).toBe(code);
    }
  });

  test('keeps no part of an answer back until the peer has acknowledged the one before', async () => {
    await start();
    const ask = client(gateway);
    await ask();
    const took: number[] = [];
    for (let n = 0; n < 41; n++) {
      const begun = performance.now();
      // Several at once: their answers are written one after the other.
      expect(await Promise.all([ask(), ask(), ask(), ask()])).toEqual(Array(4).fill('reached'));
      took.push(performance.now() - begun);
    }
    // Nagle's algorithm and a delayed acknowledgement take 40 ms together.
    expect(took.sort((a, b) => a - b)[20]).toBeLessThan(30);
  });

  test('shows the newest certificate to new connections, and none breaks over it', async () => {
    await start();
    const first = client(gateway);
    expect(await first()).toBe('reached');
    const next = await home.issueSvid('/countersign', { dns: ['localhost'] });
    shown = certificate(next);
    const socket = await handshake();
    expect(socket.getPeerCertificate().raw).toEqual(new X509Certificate(next.certPem).raw);
    expect(await first()).toBe('reached');
    expect(refusals).toEqual([]);
  });

  test('refuses handshakes while it has nothing valid to show, and lets those in who come later', async () => {
    shown = undefined;
    await start();
    expect(await client(gateway)()).toBe('error 14');
    expect(new Set(codes())).toEqual(new Set(['svid_unavailable']));
    shown = certificate(own);
    expect(await client(gateway)()).toBe('reached');
    skew = 2 * HOUR;
    expect(await client(gateway)()).toBe('error 14');
    expect(refusals.at(-1)).toMatchObject({
      code: 'svid_unavailable',
      detail: expect.stringContaining('expired'),
    });
  });

  test.each<[string, ConnectionCode, () => void]>([
    ['its certificate has expired', 'certificate_expired', () => (skew = 1.5 * HOUR)],
    [
      'its authority was withdrawn',
      'certificate_untrusted',
      () => trust({ ...home, bundlePem: partner.bundlePem }, partner),
    ],
    ['its trust domain is not known any more', 'trust_domain_unknown', () => trust(partner)],
    ['it was revoked', 'identity_revoked', () => revoked.push(gateway.spiffeId)],
  ])('shows out a client once %s, and loses no call over it', async (_, code, happens) => {
    const held: UnaryCall[] = [];
    await start({}, (call) => void held.push(call));
    const ask = client(gateway);
    const answers = [ask(), ask()];
    await until(() => held.length === 2);
    happens();
    await until(() => codes().includes(code));
    for (const call of held.splice(0)) call.answer(DENIED);
    expect(await Promise.all(answers)).toEqual(['reached', 'reached']);
    expect(codes()).toEqual([code]);
    // The next call needs a new connection, which is refused for the same reason.
    expect(await ask()).toBe('error 14');
    expect(held).toEqual([]);
  });

  test('cuts off who does not go', async () => {
    await start({}, () => {});
    const session: ClientHttp2Session = connectHttp2(`https://${server.address}`, {
      servername: 'localhost',
      ca: home.bundlePem,
      cert: gateway.chainPem,
      key: gateway.keyPem,
    });
    clients.push({ close: () => session.destroy() });
    session.on('error', () => {});
    const stream = session.request({
      ':method': 'POST',
      ':path': '/envoy.service.auth.v3.Authorization/Check',
      'content-type': 'application/grpc',
    });
    stream.on('error', () => {});
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    revoked.push(gateway.spiffeId);
    const gone = new Promise((resolve) => session.once('close', resolve));
    const begun = Date.now();
    await gone;
    expect(Date.now() - begun).toBeLessThan(5_000);
  });

  test('resumes no session, so that each client shows its certificate', async () => {
    await start();
    const first = await handshake({ maxVersion: 'TLSv1.2' });
    const session = first.getSession();
    first.destroy();
    const second = await handshake({ maxVersion: 'TLSv1.2', session });
    expect(second.isSessionReused()).toBe(false);
    const tickets: Buffer[] = [];
    const third = await handshake({ maxVersion: 'TLSv1.3' });
    third.on('session', (ticket: Buffer) => void tickets.push(ticket));
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const ticket of tickets) {
      const fourth = await handshake({ session: ticket });
      expect(fourth.isSessionReused()).toBe(false);
    }
    expect(refusals).toEqual([]);
  });

  test('speaks TLS 1.2 and 1.3, nothing older, and HTTP/2 alone', async () => {
    await start();
    expect((await handshake({ maxVersion: 'TLSv1.2' })).getProtocol()).toBe('TLSv1.2');
    expect((await handshake()).getProtocol()).toBe('TLSv1.3');
    await expect(
      handshake({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    ).rejects.toThrow();
    await expect(handshake({ ALPNProtocols: ['http/1.1'] })).rejects.toThrow();
    await until(() => codes().length === 2);
    expect(codes()).toEqual(['handshake_failed', 'handshake_failed']);
    const silent = await handshake({ ALPNProtocols: undefined as never });
    expect(await closed(silent)).toBe('');
    expect(codes().at(-1)).toBe('protocol_unsupported');
  });

  test('answers nothing to who speaks in the clear', async () => {
    await start();
    const socket = connectTcp(Number(server.address.split(':')[1]), '127.0.0.1');
    clients.push({ close: () => socket.destroy() });
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    // An alert of TLS at the most.
    expect((await closed(socket)).length).toBeLessThan(16);
    await until(() => codes().length === 1);
    expect(codes()).toEqual(['handshake_failed']);
  });

  test('ends a connection on which a record was bent after the handshake', async () => {
    await start();
    const raw = connectTcp(Number(server.address.split(':')[1]), '127.0.0.1');
    const secured = await handshake({ socket: raw } as ConnectionOptions);
    const over = closed(raw);
    raw.write(Buffer.from([0x17, 3, 3, 0, 20, ...Array<number>(20).fill(7)]));
    await over;
    secured.destroy();
    expect(await client(gateway)()).toBe('reached');
  });

  test('gives a handshake its time and no more, however it drips', async () => {
    await start({ handshakeTimeout: 300 });
    const socket = connectTcp(Number(server.address.split(':')[1]), '127.0.0.1');
    clients.push({ close: () => socket.destroy() });
    const drip = setInterval(() => socket.write(Buffer.from([0x16])), 50);
    await closed(socket).finally(() => clearInterval(drip));
    expect(['handshake_timeout', 'handshake_failed']).toContain(codes()[0]);
    const mute = connectTcp(Number(server.address.split(':')[1]), '127.0.0.1');
    await closed(mute);
    expect(codes().at(-1)).toBe('handshake_timeout');
  });

  test('has a bounded number of handshakes under way, of which the oldest give way', async () => {
    await start({ maxHandshakes: 8 });
    const mutes = Array.from({ length: 20 }, () => {
      const socket = connectTcp(Number(server.address.split(':')[1]), '127.0.0.1');
      socket.on('error', () => {});
      clients.push({ close: () => socket.destroy() });
      return socket;
    });
    await until(() => codes().length === 12);
    expect(new Set(codes())).toEqual(new Set(['handshake_overload']));
    expect(await client(gateway)()).toBe('reached');
    await until(() => mutes.filter(({ closed: over }) => over).length === 13);
  });

  test('breaks off at the end what is still in its handshake', async () => {
    await start();
    const mute = connectTcp(Number(server.address.split(':')[1]), '127.0.0.1');
    await new Promise((resolve) => mute.once('connect', resolve));
    const over = closed(mute);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await server.drain(5_000)).toBe(true);
    await over;
  });
});
