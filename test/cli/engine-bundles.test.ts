import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBundles, type BundlesPart } from '../../src/cli/engine/bundles.js';
import { parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problem.js';
import { mintTrustDomain } from '../../src/demo/trust-domain.js';
import { localHub } from '../../src/feed/feed.js';
import { FakeWorkloadApi } from '../support/fake-workload-api.js';

const home = await mintTrustDomain('home.example');
const partner = await mintTrustDomain('partner.example');
const der = (pem: string) => new X509Certificate(pem).raw;
const quiet = { info: () => {}, warn: () => {}, error: () => {} } as never;

let agent: FakeWorkloadApi;
let folder: string;
let part: BundlesPart | undefined;

beforeEach(async () => {
  agent = await FakeWorkloadApi.start();
  agent.bundles({
    'spiffe://home.example': der(home.bundlePem),
    'spiffe://partner.example': der(partner.bundlePem),
    'spiffe://third.example': der(partner.bundlePem),
  });
  agent.say('FetchJWTBundles', { bundles: {} });
  folder = await mkdtemp(join(tmpdir(), 'bundles-'));
  await writeFile(join(folder, 'partner.pem'), partner.bundlePem);
});

afterEach(async () => {
  await part?.stop();
  part = undefined;
  delete process.env.SPIFFE_ENDPOINT_SOCKET;
  await agent.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(identity: string): Promise<BundlesPart> {
  const text = `identity: ${identity}\ntoken: { mode: "off" }\npolicy: { path: ./p }\n`;
  const config = parseConfig(text, { file: join(folder, 'countersign.yaml'), env: {} });
  if (config instanceof ConfigError) throw config;
  return (part = await startBundles(config, { hub: localHub, log: quiet, now: () => Date.now() }));
}

const trusted = ({ store }: BundlesPart) =>
  ['home.example', 'partner.example', 'third.example'].filter((name) => store.current().get(name));

const socket = () => `socket: "unix://${agent.socketPath}"`;

describe('the trust bundles of a server', () => {
  test('come from where the configuration says, each domain from its own source', async () => {
    const bundles = await start(
      `{ workload_api: { ${socket()} }, trust_domains: { home.example: { workload_api: true }, partner.example: { bundle: partner.pem } } }`,
    );
    expect(trusted(bundles)).toEqual(['home.example', 'partner.example']);
    expect(bundles.checks()).toEqual({
      'trust bundle of home.example': { ok: true },
      'trust bundle of partner.example': { ok: true },
    });
    expect(bundles.streams()).toEqual([
      { stream: 'x509_bundles', lastSuccess: expect.any(Number) },
      { stream: 'jwt_bundles', lastSuccess: expect.any(Number) },
    ]);
  });

  test('come with what the server can prove itself with, which is asked for once somebody wants it', async () => {
    const { spiffeId, chainPem, keyPem } = await home.issueSvid('/countersign');
    const x509SvidKey = Buffer.from(keyPem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    agent.say('FetchX509SVID', { svids: [{ spiffeId, x509Svid: der(chainPem), x509SvidKey }] });
    const bundles = await start(
      `{ workload_api: { ${socket()} }, trust_domains: { home.example: { workload_api: true } } }`,
    );
    expect(agent.asked.FetchX509SVID).toBe(0);
    const svids = bundles.own!.svids();
    await svids.start();
    expect(svids.latest()).toMatchObject({ value: [{ spiffeId }] });
    expect(bundles.own!.svids()).toBe(svids);
    await bundles.stop();
    const files = await start('{ trust_domains: { partner.example: { bundle: partner.pem } } }');
    expect(files.own).toBeUndefined();
  });

  test('are of listed domains alone, unless the agent is trusted with all', async () => {
    const listed = await start(
      `{ workload_api: { ${socket()} }, trust_domains: { home.example: { workload_api: true } } }`,
    );
    expect(trusted(listed)).toEqual(['home.example']);
    await listed.stop();
    const all = await start(`{ workload_api: { ${socket()}, federated: all }, trust_domains: {} }`);
    expect(trusted(all)).toEqual(['home.example', 'partner.example', 'third.example']);
    expect(all.status()).toEqual([]);
  });

  test('come from the socket of the environment where none is configured', async () => {
    process.env.SPIFFE_ENDPOINT_SOCKET = `unix://${agent.socketPath}`;
    expect(trusted(await start('{ trust_domains: { home.example: { workload_api: true } } }'))).toEqual([
      'home.example',
    ]);
  });

  test.each([
    [undefined, 'identity.workload_api.socket: is missing, and SPIFFE_ENDPOINT_SOCKET is not set'],
    ['tcp://127.0.0.1:8000', 'SPIFFE_ENDPOINT_SOCKET: is a TCP address'],
  ])('do not begin without a socket, as with %s', async (address, message) => {
    if (address !== undefined) process.env.SPIFFE_ENDPOINT_SOCKET = address;
    await expect(start('{ trust_domains: { home.example: { workload_api: true } } }')).rejects.toThrow(
      message,
    );
  });

  test('do not keep the server from starting while there is no agent, and say so', async () => {
    await agent.kill();
    const bundles = await start(
      `{ workload_api: { ${socket()} }, trust_domains: { home.example: { workload_api: true } } }`,
    );
    expect(trusted(bundles)).toEqual([]);
    expect(bundles.checks()).toEqual({
      'trust bundle of home.example': {
        ok: false,
        detail: expect.stringMatching(/^its workloads are refused: FetchX509Bundles: UNAVAILABLE/),
      },
    });
    expect(Object.fromEntries(bundles.standings())).toHaveProperty(
      ['trust bundles of the Workload API'],
      expect.stringContaining('UNAVAILABLE'),
    );
  });

  test('do not begin with a file that is broken', async () => {
    await writeFile(join(folder, 'partner.pem'), 'nonsense');
    await expect(start('{ trust_domains: { partner.example: { bundle: partner.pem } } }')).rejects.toThrow(
      /^identity.trust_domains: partner.example: .*partner.pem: not a trust bundle/,
    );
  });
});
