import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EnvoySetup } from '../../src/demo/envoy-config.js';
import { startEnvoy, type Envoy } from '../../src/demo/envoy.js';
import { startIssuer, type Issuer } from '../../src/demo/issuer.js';
import type { ClientRequest } from '../../src/demo/mtls-request.js';
import { mintTrustDomain, type Svid, type TrustDomain } from '../../src/demo/trust-domain.js';
import { startUpstream, type Echo, type Upstream } from '../../src/demo/upstream.js';
import { envoyBinary } from '../support/real-envoy.js';
import { type EngineProcess, startEngine } from './engine.js';
export type { Echo };

export interface EngineOverrides {
  /** `listen.grpc`. Default a free port. */
  readonly grpc?: string;
  /** The text of a policy. */
  readonly policy?: string;
  /** `policy.path`. Default the policies that are shipped. */
  readonly policies?: string;
  /** Further members of `listen`, in YAML's flow form. */
  readonly listen?: string;
  /** Further keys of the configuration, in YAML. */
  readonly more?: string;
  /** PEM. Default the bundle of the mesh's trust domain. */
  readonly bundle?: string;
  /** Further lines under `identity`, two spaces in. */
  readonly identity?: string;
  /** `token.mode`. */
  readonly tokenMode?: string;
  /** Further lines under `token`, two spaces in, and under its one issuer, six. */
  readonly token?: string;
  readonly issuer?: string;
}

/** A small mesh on loopback: a trust domain, an issuer, an upstream, and what is started of the rest. */
export interface Mesh {
  readonly folder: string;
  readonly domain: TrustDomain;
  readonly issuer: Issuer;
  readonly upstream: Upstream;
  readonly frontend: Svid;
  readonly reporting: Svid;
  /** Writes a policy folder and a configuration, and starts the engine on it. */
  engine(overrides?: EngineOverrides): Promise<EngineProcess>;
  /** Starts a real Envoy that asks the engine at this address. */
  envoy(engine: string, overrides?: Partial<EnvoySetup>, extraRoots?: string): Promise<Envoy>;
  /** What a request through an Envoy is sent with by this workload. */
  as(workload: Svid, envoy: Envoy): Pick<ClientRequest, 'port' | 'ca' | 'certPem' | 'keyPem'>;
  /** Ends everything that was started. */
  close(): Promise<void>;
}

const SHIPPED = fileURLToPath(new URL('../../policies', import.meta.url));

export async function startMesh(): Promise<Mesh> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-e2e-'));
  const domain = await mintTrustDomain('example.org');
  const own = await domain.issueSvid('/ns/shop/sa/orders', { dns: ['localhost'] });
  const issuer = await startIssuer({ audience: 'orders' });
  const upstream = await startUpstream();
  const closers: (() => Promise<unknown>)[] = [() => issuer.close(), () => upstream.close()];
  let started = 0;

  return {
    folder,
    domain,
    issuer,
    upstream,
    as: ({ certPem, keyPem }, { httpPort: port }) => ({ port, ca: domain.bundlePem, certPem, keyPem }),
    frontend: await domain.issueSvid('/ns/shop/sa/frontend'),
    reporting: await domain.issueSvid('/ns/shop/sa/reporting'),

    async engine(overrides = {}) {
      const { grpc = '127.0.0.1:0', policy, policies = SHIPPED, listen = '', more = '' } = overrides;
      const { bundle = domain.bundlePem, identity = '', tokenMode: mode = 'required' } = overrides;
      const name = `engine-${++started}`;
      await writeFile(join(folder, `${name}.pem`), bundle);
      let path = policies;
      if (policy !== undefined) {
        path = await mkdtemp(join(folder, 'policies-'));
        await writeFile(join(path, 'policy.rego'), policy);
      }
      const file = join(folder, `${name}.yaml`);
      await writeFile(
        file,
        configText({
          grpc,
          listen,
          bundle: `${name}.pem`,
          issuer: issuer.url,
          policies: path,
          identity,
          mode,
          token: overrides.token ?? '',
          issuerLines: overrides.issuer ?? '',
        }) + more,
      );
      const engine = await startEngine(file, name);
      closers.push(async () => {
        engine.kill('SIGKILL');
        await engine.exited;
      });
      return engine;
    },

    async envoy(engine, overrides = {}, extraRoots = '') {
      const place = await mkdtemp(join(folder, 'envoy-'));
      const write = async (name: string, text: string) => {
        await writeFile(join(place, name), text, { mode: 0o600 });
        return join(place, name);
      };
      const envoy = await startEnvoy(envoyBinary, place, {
        certificate: await write('svid.pem', own.certPem),
        key: await write('key.pem', own.keyPem),
        roots: await write('roots.pem', domain.bundlePem + extraRoots),
        engine,
        upstreamPort: upstream.port,
        ...overrides,
      });
      closers.push(() => envoy.stop());
      return envoy;
    },

    async close() {
      for (const close of closers.reverse()) await close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface ConfigOf {
  readonly grpc: string;
  readonly listen: string;
  readonly bundle: string;
  readonly issuer: string;
  readonly policies: string;
  readonly identity: string;
  readonly mode: string;
  readonly token: string;
  readonly issuerLines: string;
}

function configText(of: ConfigOf): string {
  return `
listen: { grpc: '${of.grpc}', admin: 127.0.0.1:0, ${of.listen} }
identity:
  trust_domains:
    example.org: { bundle: ./${of.bundle} }
${of.identity}
token:
  mode: ${of.mode}
${of.token}
  issuers:
    - issuer: ${of.issuer}
      audiences: [orders]
      jwks: discovery
      algorithms: [ES256]
      jwks_cooldown: 1s
${of.issuerLines}
policy: { path: ${of.policies} }
`;
}
