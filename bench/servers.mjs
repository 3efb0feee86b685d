// The servers that are measured, each a process of its own, and what they have in common: a trust domain, an issuer, a
// workload with its certificate and its token.
import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startIssuer } from '../dist/demo/issuer.js';
import { mintTrustDomain } from '../dist/demo/trust-domain.js';
import { freePort, listens, peerPolicy } from './peer.mjs';
import { framed } from './request.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Longer than any run: a token that expired would be measured as a denial. Seconds. */
const LIFETIME = 3_500;

/** Everything that it starts ends with {@link Fleet.stop}, and with this process. */
export async function startFleet() {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-'));
  const domain = await mintTrustDomain('example.org');
  const issuer = await startIssuer({ audience: 'orders', algorithm: 'RS256' });
  const frontend = await domain.issueSvid('/ns/shop/sa/frontend');
  await writeFile(join(folder, 'example.org.pem'), domain.bundlePem);
  const certificate = createHash('sha256').update(new X509Certificate(frontend.certPem).raw);
  const bound = { scope: 'orders:read', cnf: { 'x5t#S256': certificate.digest('base64url') } };
  const exp = () => Math.floor(Date.now() / 1000) + LIFETIME;
  const children = new Set();
  const killAll = () => {
    for (const child of children) child.kill('SIGKILL');
  };
  process.once('exit', killAll);

  /**
   * Starts a server, and waits until it serves.
   *
   * @param where what says so: from what it has written, its address; undefined until then
   */
  function launch(command, args, where) {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(child);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const stop = () => {
      children.delete(child);
      child.kill('SIGTERM');
      return ended;
    };
    return new Promise((resolve, reject) => {
      let output = '';
      const take = (text) => {
        if (output === undefined) return; // from here on what it writes is read and thrown away
        output += text;
        serves(where(output));
      };
      const serves = (address) => {
        if (address === undefined) return;
        output = undefined;
        resolve({ pid: child.pid, address, stop });
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.once('error', (error) => reject(new Error(`${command} cannot be run: ${error.message}`)));
      child.once('exit', (code) =>
        reject(new Error(`${[command, ...args].join(' ')} ended with ${code}:\n${output}`)),
      );
      where.port?.then((port) => serves(`127.0.0.1:${port}`), reject);
    });
  }

  return {
    folder,
    domain,
    issuer,
    frontend,
    /** The frontend's token, another one each time. */
    token: (claims = {}) => issuer.mint({ ...bound, exp: exp(), ...claims }),
    /** A token that any workload may present. */
    unbound: () => issuer.mint({ scope: 'orders:read', exp: exp() }),

    /** A request that is allowed, in a file as h2load sends it. */
    async warm() {
      const file = join(folder, 'warm.grpc');
      const token = await this.token();
      await writeFile(file, framed({ workload: frontend, method: 'GET', path: '/orders/7', token }));
      return file;
    },

    /** One of the servers in this folder that decide nothing. */
    echo: (file) =>
      launch(process.execPath, [`bench/${file}`], (output) => /^(127\.0\.0\.1:\d+)$/m.exec(output)?.[1]),

    /**
     * A Countersign.
     *
     * @param settings `token`: lines under `token`; `policy`: what stands there; `more`: further keys of the
     *   configuration; `log`: whether decisions are logged; `workers`; `node`: flags of its process; `admin`: where
     */
    async countersign(name, settings = {}) {
      const {
        token = 'mode: required',
        log = false,
        more = '',
        workers = 1,
        node = [],
        admin = 'off',
      } = settings;
      const { policy = { path: join(ROOT, 'policies') } } = settings;
      const file = join(folder, `${name}.yaml`);
      await writeFile(
        file,
        `listen: { grpc: "127.0.0.1:0", admin: "${admin}" }
identity: { trust_domains: { example.org: { bundle: ./example.org.pem } } }
token:
  ${token}
  issuers: [{ issuer: "${issuer.url}", audiences: [orders], jwks: discovery, algorithms: [RS256] }]
policy: ${JSON.stringify(policy)}
decision_log: { enabled: ${log} }
workers: ${workers}
${more}
`,
      );
      return launch(process.execPath, [...node, 'dist/cli/main.js', 'serve', '-c', file], (output) => {
        const ready = output.match(/"worker ready"/g)?.length ?? 0;
        return ready >= (workers === 1 ? 0 : workers) ? /"grpc":"([^"]+)"/.exec(output)?.[1] : undefined;
      });
    },

    /**
     * opa-envoy-plugin on the default policy, with what a policy has to do there by itself: take the principal from
     * Envoy on trust, and verify the token against keys in its data. It checks no certificate and no binding.
     */
    async peer(binary, { log = false } = {}) {
      const jwks = await (await fetch(`${issuer.url}/jwks`)).text();
      await writeFile(join(folder, 'peer.rego'), peerPolicy(issuer.url, jwks));
      const port = await freePort();
      const flags = ['--addr=127.0.0.1:0', '--skip-version-check', '--log-level=error', '--v1-compatible'];
      const settings = [
        `plugins.envoy_ext_authz_grpc.addr=127.0.0.1:${port}`,
        'plugins.envoy_ext_authz_grpc.path=peer/decision',
        `decision_logs.console=${log}`,
      ].map((setting) => `--set=${setting}`);
      const files = [join(ROOT, 'policies/mesh/authz.rego'), join(folder, 'peer.rego')];
      const data = `mesh.routes:${join(ROOT, 'policies/mesh/routes/data.json')}`;
      const args = ['run', '--server', ...flags, ...settings, ...files, data];
      // It writes nothing of its own accord: that somebody listens there has to do.
      return launch(
        binary,
        args,
        Object.assign(() => undefined, { port: listens(port).then(() => port) }),
      );
    },

    async stop() {
      killAll();
      process.off('exit', killAll);
      await issuer.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
