import { X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { comeTrue } from '../support/come-true.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { describeSpire } from '../support/spire.js';
import { startSpireMesh, type SpireMesh } from '../support/spire-mesh.js';
import { startEngine, type EngineProcess } from './engine.js';
import { Load, type Answer, type Caller } from './spire-load.js';

const POLICY = `package mesh.authz
import rego.v1

default decision := {"allowed": false}

decision := {"allowed": true} if input.identity.spiffe_id == "spiffe://example.org/ns/shop/sa/frontend"

decision := {"allowed": true} if {
  input.identity.spiffe_id == "spiffe://partner.example/ns/depot/sa/supplier"
  input.request.path == "/stock"
}
`;

const FRONTEND = 'spiffe://example.org/ns/shop/sa/frontend';
const REPORTING = 'spiffe://example.org/ns/shop/sa/reporting';
const SUPPLIER = 'spiffe://partner.example/ns/depot/sa/supplier';
/** Of the same path as one that may, in a domain where that is somebody else. */
const NAMESAKE = 'spiffe://partner.example/ns/shop/sa/frontend';

/** Seconds: long enough to outlive the agent's absence, and so short that all are renewed while the test runs. */
const TTL = 50;
/** Milliseconds of the configuration below. */
const REFRESH = 2_000;
const STALE = { 'example.org': 8_000, 'partner.example': 4_000 };

/** Milliseconds for what SPIRE does in steps of its own, on a machine that does other things as well. */
const WHILE = 90_000;

/** Calls of one caller that show that nothing was interrupted, on the slowest machine. */
const ENOUGH = 12;

const describeBoth = (title: string, tests: () => void) =>
  describeSpire(title, () => describeEnvoy('and a real Envoy', tests));

describeBoth('two trust domains of SPIRE that federate', () => {
  let folder: string;
  let mesh: SpireMesh;
  let engine: EngineProcess;
  let port: number;
  let load: Load | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cs-'));
    mesh = await startSpireMesh({ folder, callers: [FRONTEND, REPORTING, SUPPLIER, NAMESAKE], ttl: TTL });
    engine = await serve();
    // A machine that does other things as well is no failed call.
    port = await mesh.startEnvoy((text) => text.replace(/(?<=\n +)timeout: 1s/, 'timeout: 10s'));
    await comeTrue(
      async () => expect((await fetch(`http://${engine.admin}/readyz`)).status).toBe(200),
      WHILE,
    );
  }, 240_000);

  afterEach(async () => {
    await load?.stop();
    await mesh?.home.agent.revive();
  });

  afterAll(async () => {
    engine?.kill('SIGKILL');
    await engine?.exited;
    await mesh?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function serve(): Promise<EngineProcess> {
    const file = join(folder, 'countersign.yaml');
    await mkdir(join(folder, 'policies'));
    await writeFile(join(folder, 'policies', 'policy.rego'), POLICY);
    await writeFile(
      file,
      `listen:
  grpc: "127.0.0.1:${mesh.enginePort}"
  tls: { workload_api: true, clients: ["spiffe://example.org/ns/shop/sa/orders"] }
  admin: "127.0.0.1:0"
  # Envoy has to prove anew who it is, and Countersign too, every second.
  max_connection_age: 1s
identity:
  workload_api: { socket: "unix://${mesh.home.agent.socketPath}", refresh: ${REFRESH / 1000}s }
  trust_domains:
    example.org: { workload_api: true, max_stale: ${STALE['example.org'] / 1000}s }
    partner.example: { workload_api: true, max_stale: ${STALE['partner.example'] / 1000}s }
token: { mode: "off" }
policy: { path: ./policies }
workers: 2
`,
    );
    return startEngine(file, 'spire-mesh', mesh.node);
  }

  const ours = () => mesh.home.workloads;
  const theirs = () => mesh.partner.workloads;
  const callers = (): Caller[] => [
    { workloads: ours(), spiffeId: FRONTEND, path: '/orders/7', allowed: true },
    { workloads: ours(), spiffeId: REPORTING, path: '/orders/7', allowed: false },
    { workloads: theirs(), spiffeId: SUPPLIER, path: '/stock', allowed: true },
    { workloads: theirs(), spiffeId: SUPPLIER, path: '/orders/7', allowed: false },
    { workloads: theirs(), spiffeId: NAMESAKE, path: '/orders/7', allowed: false },
  ];

  const start = (loyal = false) => (load = new Load(port, 'example.org', callers(), loyal));

  const expected = ({ caller }: Answer) => (caller.allowed ? 'allowed' : 'policy_denied');

  /** Each caller was answered often, and never otherwise than it should be. */
  function allRight(answers: readonly Answer[]): void {
    expect(answers.filter((answer) => answer.outcome !== expected(answer)).map(tell)).toEqual([]);
    for (const caller of load!.callers)
      expect(answers.filter((answer) => answer.caller === caller).length).toBeGreaterThan(ENOUGH);
  }

  const tell = ({ caller, outcome, kept }: Answer) =>
    `${caller.spiffeId} ${caller.path}: ${outcome}${kept ? ' (kept connection)' : ''}`;

  /** As many calls again of each caller as show that nothing was interrupted. */
  async function more(): Promise<void> {
    const made = (caller: Caller) => load!.answers.filter((answer) => answer.caller === caller).length;
    const before = load!.callers.map(made);
    await comeTrue(
      () => load!.callers.forEach((caller, i) => expect(made(caller)).toBeGreaterThan(before[i]! + ENOUGH)),
      WHILE,
    );
  }

  /** Of the certificates that Envoy showed last, one for each caller. */
  const serverKeys = () =>
    load!.callers.map((caller) => load!.serverCertificates.get(caller)?.fingerprint256);

  /** What Countersign shows to who asks it now. */
  function engineLeaf(): Promise<X509Certificate> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: mesh.enginePort, rejectUnauthorized: false });
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        resolve(socket.getPeerX509Certificate()!);
        socket.destroy();
      });
    });
  }

  /** What is shown now by all whose trust domain this is. */
  async function leaves(name: string): Promise<X509Certificate[]> {
    const own = load!.callers
      .filter(({ spiffeId }) => spiffeId.startsWith(`spiffe://${name}/`))
      .map((caller) => new X509Certificate(shown(caller)));
    return name === 'example.org' ? [...own, ...load!.serverCertificates.values(), await engineLeaf()] : own;
  }

  /** The leaf that a workload shows now, by what tells it from the next one. */
  const shown = ({ workloads, spiffeId }: Caller) => workloads.svid(spiffeId).certPem;

  async function gauge(name: string, trustDomain: string): Promise<number> {
    const text = await (await fetch(`http://${engine.admin}/metrics`)).text();
    const line = new RegExp(`^${name}\\{trust_domain="${trustDomain}"\\} (.*)$`, 'm').exec(text);
    return Number(line?.[1]);
  }

  const unavailable = (trustDomain: string) => gauge('countersign_trust_bundle_unavailable', trustDomain);

  test('let workloads of both through, and deny others of both', async () => {
    start();
    await comeTrue(() => expect(load!.answers.length).toBeGreaterThan(200), WHILE);
    const answers = await load!.stop();
    allRight(answers);
    expect(new Set(answers.map(({ kept }) => kept))).toEqual(new Set([true, false]));
    expect(String([...load!.serverCertificates.values()][0]!.subjectAltName)).toContain(
      'URI:spiffe://example.org/ns/shop/sa/orders',
    );
  }, 120_000);

  test('go on without a wrong answer while all certificates are renewed: of callers, Envoy and Countersign', async () => {
    start();
    await comeTrue(() => expect(load!.serverCertificates.size).toBe(load!.callers.length), WHILE);
    const [before, server, own] = [load!.callers.map(shown), serverKeys(), await engineLeaf()];
    await comeTrue(
      () => load!.callers.forEach((caller, i) => expect(shown(caller)).not.toBe(before[i])),
      WHILE,
    );
    await comeTrue(() => serverKeys().forEach((key, i) => expect(key).not.toBe(server[i])), WHILE);
    await comeTrue(
      async () => expect((await engineLeaf()).fingerprint256).not.toBe(own.fingerprint256),
      WHILE,
    );
    await more();
    allRight(await load!.stop());
  }, 240_000);

  test('go on without a wrong answer while each replaces its authority, until the old one is revoked', async () => {
    start();
    const [home, partner] = [mesh.home.server, mesh.partner.server];
    for (const domain of [home, partner]) {
      const name = domain.trustDomain;
      const [former] = ours().authorities(name);
      const everywhere = (count: number) =>
        comeTrue(() => {
          for (const workloads of [ours(), theirs()]) expect(workloads.authorities(name)).toHaveLength(count);
        }, WHILE);
      const other = domain === home ? partner : home;
      const agentBefore = await domain.agentSerial();
      const prepared = await domain.prepareAuthority();
      await other.refreshBundleOf(domain);
      await everywhere(2);
      const formerId = await domain.activateAuthority(prepared);
      await domain.taintAuthority(formerId);
      // Whoever revokes earlier than this cuts off what the old authority still holds up.
      await comeTrue(async () => expect(await domain.agentSerial()).not.toBe(agentBefore), WHILE);
      await comeTrue(
        async () => expect((await leaves(name)).filter((leaf) => leaf.verify(former!.publicKey))).toEqual([]),
        WHILE,
      );
      await more();
      await domain.revokeAuthority(formerId);
      await other.refreshBundleOf(domain);
      await everywhere(1);
      expect(ours().authorities(name)[0]!.fingerprint256).not.toBe(former!.fingerprint256);
      await more();
    }
    allRight(await load!.stop());
  }, 240_000);

  test('go on while the agent is dead, until the bound of each domain, and no longer', async () => {
    start();
    await more();
    await mesh.home.agent.kill();
    const bound = async (name: keyof typeof STALE) =>
      1000 * (await gauge('countersign_trust_bundle_last_success_timestamp_seconds', name)) +
      REFRESH +
      STALE[name];
    const bounds = {
      'example.org': await bound('example.org'),
      'partner.example': await bound('partner.example'),
    };

    await sleep(bounds['partner.example'] - Date.now() + 500);
    expect(await unavailable('partner.example')).toBe(1);
    expect(await unavailable('example.org')).toBe(0);
    const readiness = await (await fetch(`http://${engine.admin}/readyz`)).json();
    expect(readiness).toMatchObject({
      // The other domain is served, so the process stays in the game.
      ready: true,
      checks: {
        'trust bundle of partner.example': {
          ok: false,
          detail: expect.stringMatching(/^its workloads are refused: it is too old .*UNAVAILABLE/),
        },
      },
    });
    await sleep(bounds['example.org'] - Date.now() + 500);
    expect(await unavailable('example.org')).toBe(1);

    const answers = (await load!.stop()).slice();
    const wrong = answers.filter((answer) => {
      const { caller, sent, over, outcome } = answer;
      const end = bounds[caller.spiffeId.split('/')[2] as keyof typeof STALE];
      const right = [expected(answer), 'trust_bundle_unavailable'].slice(
        sent > end ? 1 : 0,
        over < end ? 1 : 2,
      );
      // From then on Countersign cannot know Envoy either, and Envoy denies without it.
      const alone = over > bounds['example.org'] && outcome.startsWith('failed: 403');
      return !right.includes(outcome) && !alone;
    });
    expect(wrong.map(tell)).toEqual([]);
    for (const { workloads } of [mesh.home, mesh.partner]) {
      const last = answers.filter(({ caller }) => caller.workloads === workloads).at(-1)!;
      expect(last.outcome).not.toBe(expected(last));
    }
    expect(answers.filter(({ outcome }) => outcome === 'trust_bundle_unavailable').length).toBeGreaterThan(0);

    await mesh.home.agent.revive();
    const served = serverKeys();
    start();
    // Envoy asks for its secrets again in steps of its own.
    await comeTrue(
      () => serverKeys().forEach((key, i) => expect([undefined, served[i]]).not.toContain(key)),
      WHILE,
    );
    await load!.stop();
    await comeTrue(async () => {
      expect(await unavailable('example.org')).toBe(0);
      expect(await unavailable('partner.example')).toBe(0);
    }, WHILE);
    start();
    await more();
    allRight(await load!.stop());
  }, 240_000);

  test('are parted within one refresh of the end of their federation, over open connections as well', async () => {
    start(true);
    await more();
    let told = Infinity;
    ours().onChange(() => {
      if (ours().authorities('partner.example').length === 0) told = Math.min(told, Date.now());
    });
    const ended = Date.now();
    await mesh.home.server.partFrom(mesh.partner.server);
    await comeTrue(() => expect(told).not.toBe(Infinity), WHILE);
    await sleep(REFRESH + 1_000);
    const answers = await load!.stop();

    const [own, foreign] = [ours(), theirs()].map((workloads) =>
      answers.filter(({ caller }) => caller.workloads === workloads),
    );
    expect(own!.filter((answer) => answer.outcome !== expected(answer)).map(tell)).toEqual([]);
    const withdrawn = ({ outcome, kept }: Answer) =>
      outcome === 'trust_bundle_unavailable' ||
      // Envoy may have heard of it as well.
      (!kept && outcome.startsWith('failed:'));
    const before = foreign!.filter(({ over }) => over < ended);
    expect(before.filter((answer) => answer.outcome !== expected(answer)).map(tell)).toEqual([]);
    const after = foreign!.filter(({ sent }) => sent > told + REFRESH);
    expect(after.filter((answer) => !withdrawn(answer)).map(tell)).toEqual([]);
    expect(after.filter(({ kept }) => kept).length).toBeGreaterThan(0);
  }, 240_000);
});
