import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createHash, X509Certificate } from 'node:crypto';
import { Command } from 'commander';
import { pino } from 'pino';
import { askEnvoy } from '../demo/ask-envoy.js';
import { askGrpc } from '../demo/ask-grpc.js';
import { askAll } from '../demo/ask-all.js';
import { demoCases, type Ask, type Cast } from '../demo/cases.js';
import { startEnvoy, type Envoy } from '../demo/envoy.js';
import { findEnvoy, HOW_TO_GET_ENVOY } from '../demo/find-envoy.js';
import { startIssuer, type Issuer } from '../demo/issuer.js';
import { mintTrustDomain, type Svid, type TrustDomain } from '../demo/trust-domain.js';
import { startUpstream } from '../demo/upstream.js';
import { createLog } from '../telemetry/log.js';
import { readConfig } from './config.js';
import { startEngine, type Engine } from './engine.js';
import { Failure } from './failure.js';

const POLICIES = fileURLToPath(new URL('../../policies', import.meta.url));

interface DemoOptions {
  envoy: boolean;
  once: boolean;
}

/** What `npm start` runs. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('show it: a trust domain, an issuer, a policy, Envoy where there is one, and eight requests')
    .option('--without-envoy', 'ask over gRPC even where there is an Envoy')
    .option('--once', 'end after the table instead of staying up')
    .action(async (options: { withoutEnvoy?: boolean; once?: boolean }) => {
      await runDemo({ envoy: !options.withoutEnvoy, once: options.once === true });
    });
}

async function runDemo(options: DemoOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-demo-'));
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  // From here on Ctrl-C ends whatever has been started by then.
  const interrupted = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  const showing = show(folder, options, closers);
  try {
    await Promise.race([showing, interrupted]);
    if (!options.once) await interrupted;
  } finally {
    // What is being started right now has to be there before it can be ended.
    await showing.catch(() => undefined);
    await closeAll();
  }
}

async function show(
  folder: string,
  options: DemoOptions,
  closers: (() => Promise<unknown>)[],
): Promise<void> {
  const domain = await mintTrustDomain('example.org');
  const foreign = await mintTrustDomain('rogue.example');
  say('Minted the trust domain example.org, and a foreign one, rogue.example.');
  const issuer = await startIssuer({
    audience: 'orders',
    clients: { frontend: { scope: 'orders:read' }, reporting: { scope: 'reports:read' } },
  });
  closers.push(() => issuer.close());
  say(`Started an OAuth issuer:      ${issuer.url}`);
  const cast = await castOf(domain, foreign, issuer);

  say('Compiling the default policy …');
  const engine = await serveEngine(folder, domain, issuer);
  closers.push(() => engine.stop());
  say(`Started Countersign:          ${engine.grpc} (gRPC), http://${engine.admin} (metrics)`);

  const binary = options.envoy ? await findEnvoy(process.env) : undefined;
  let ask: Ask;
  let envoy: Envoy | undefined;
  if (binary === undefined) {
    const grpc = askGrpc(engine.grpc);
    closers.push(async () => grpc.close());
    ask = grpc.ask;
    say(
      `${options.envoy ? 'No Envoy on this machine' : 'Without Envoy'}: the CheckRequests it would send go straight over gRPC.`,
    );
    say(`To see it behind a real one:  ${HOW_TO_GET_ENVOY}`);
  } else {
    envoy = await frontWithEnvoy(binary, folder, engine, domain, foreign, closers);
    ask = askEnvoy(envoy.httpPort, domain.bundlePem);
    say(`Started Envoy with mTLS:      https://127.0.0.1:${envoy.httpPort} (${binary})`);
  }

  const { table, right } = await askAll(demoCases(cast), ask);
  say(`\n${table}\n`);
  if (!right) {
    if (options.once) throw new Failure('an answer is not what it should be');
    say('An answer is not what it should be.');
  }
  if (options.once) return;
  await writeFiles(folder, cast, domain);
  say(envoy ? curlLines(folder, envoy.httpPort, issuer.url) : '');
  say(`Decisions:  ${join(folder, 'decisions.log')}`);
  say(`Metrics:    curl http://${engine.admin}/metrics`);
  say('\nIt stays up. Ctrl-C ends all of it.');
}

async function castOf(domain: TrustDomain, foreign: TrustDomain, issuer: Issuer): Promise<Cast> {
  const [frontend, reporting, foreigner] = await Promise.all([
    domain.issueSvid('/ns/shop/sa/frontend'),
    domain.issueSvid('/ns/shop/sa/reporting'),
    foreign.issueSvid('/ns/shop/sa/frontend'),
  ]);
  const scope = 'orders:read';
  const past = Math.floor(Date.now() / 1000) - 600;
  return {
    frontend,
    reporting,
    foreigner,
    tokens: {
      bound: await issuer.mint({ scope, cnf: { 'x5t#S256': thumbprint(frontend) } }),
      expired: await issuer.mint({ scope, iat: past, exp: past + 300 }),
      otherAudience: await issuer.mint({ scope, aud: 'payments' }),
    },
  };
}

/** RFC 8705 section 3.1 */
function thumbprint(svid: Svid): string {
  return createHash('sha256').update(new X509Certificate(svid.certPem).raw).digest('base64url');
}

async function serveEngine(folder: string, domain: TrustDomain, issuer: Issuer): Promise<Engine> {
  await writeFile(join(folder, 'example.org.pem'), domain.bundlePem);
  const file = join(folder, 'countersign.yaml');
  await writeFile(
    file,
    `listen: { grpc: 127.0.0.1:0, admin: 127.0.0.1:0 }
identity:
  trust_domains:
    example.org: { bundle: ./example.org.pem }
token:
  issuers:
    - issuer: ${issuer.url}
      audiences: [orders]
      jwks: discovery
      algorithms: [ES256]
policy: { path: ${JSON.stringify(POLICIES)} }
`,
  );
  const decisions = pino.destination({ dest: join(folder, 'decisions.log'), sync: false });
  return startEngine(await readConfig(file), { log: createLog('warn'), decisions });
}

async function frontWithEnvoy(
  binary: string,
  folder: string,
  engine: Engine,
  domain: TrustDomain,
  foreign: TrustDomain,
  closers: (() => Promise<unknown>)[],
): Promise<Envoy> {
  const upstream = await startUpstream();
  closers.push(() => upstream.close());
  const own = await domain.issueSvid('/ns/shop/sa/orders', { dns: ['localhost'] });
  const write = async (name: string, text: string) => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const envoy = await startEnvoy(binary, folder, {
    certificate: await write('envoy.pem', own.chainPem),
    key: await write('envoy.key', own.keyPem),
    // One pool for TLS, as meshes have it: that Envoy lets a peer in does not say whose it is.
    roots: await write('roots.pem', domain.bundlePem + foreign.bundlePem),
    engine: engine.grpc,
    upstreamPort: upstream.port,
  });
  closers.push(() => envoy.stop());
  return envoy;
}

async function writeFiles(folder: string, cast: Cast, domain: TrustDomain): Promise<void> {
  const files = {
    'ca.pem': domain.bundlePem,
    'frontend.pem': cast.frontend.certPem,
    'frontend.key': cast.frontend.keyPem,
    'reporting.pem': cast.reporting.certPem,
    'reporting.key': cast.reporting.keyPem,
    'bound.token': cast.tokens.bound,
  };
  for (const [name, text] of Object.entries(files))
    await writeFile(join(folder, name), text, { mode: 0o600 });
}

function curlLines(folder: string, port: number, issuer: string): string {
  const as = (workload: string) =>
    `curl -s --cacert ca.pem --cert ${workload}.pem --key ${workload}.key https://localhost:${port}`;
  return `Try it yourself:

  cd ${folder}
  ${as('frontend')}/orders/7 -H "Authorization: Bearer $(cat bound.token)"
  ${as('reporting')}/orders/7 -H "Authorization: Bearer $(cat bound.token)"
  ${as('frontend')}/orders/7

A fresh token (the one above lives five minutes):

  curl -s ${issuer}/token -d grant_type=client_credentials -d client_id=frontend
`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
