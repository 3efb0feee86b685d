// node bench/stages.mjs [--json]: what one warm decision costs in this process, stage by stage, without gRPC.
import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { compileFolder } from '../dist/cli/build.js';
import { createPipeline } from '../dist/decision/pipeline.js';
import { checkRequest } from '../dist/demo/ask-grpc.js';
import { startIssuer } from '../dist/demo/issuer.js';
import { mintTrustDomain } from '../dist/demo/trust-domain.js';
import { toFacts } from '../dist/envoy/facts.js';
import { decodeCheckRequest } from '../dist/envoy/decode-request.js';
import { createDecisionEncoder } from '../dist/envoy/encode-decision.js';
import { encodeCheckResponse } from '../dist/envoy/encode-response.js';
import { toCheckResponse } from '../dist/envoy/response.js';
import { createIdentityVerifier } from '../dist/identity/verifier.js';
import { parseTrustBundle, TrustBundles } from '../dist/identity/trust-bundle.js';
import { readBundle } from '../dist/policy/bundle.js';
import { loadPolicy } from '../dist/policy/evaluator.js';
import { authorizationService } from '../dist/server/proto.js';
import { createDecisionLog } from '../dist/telemetry/decision-log.js';
import { createMetrics } from '../dist/telemetry/metrics.js';
import { createKeySource } from '../dist/token/key-source.js';
import { createTokenVerifier } from '../dist/token/verifier.js';
import { spread } from './spread.mjs';

const ENTRYPOINT = 'mesh/authz/decision';
const now = () => Date.now();

const domain = await mintTrustDomain('example.org');
const frontend = await domain.issueSvid('/ns/shop/sa/frontend');
const thumbprint = createHash('sha256').update(new X509Certificate(frontend.certPem).raw).digest('base64url');
const issuer = await startIssuer({ audience: 'orders', algorithm: 'RS256' });
const token = await issuer.mint({ scope: 'orders:read', cnf: { 'x5t#S256': thumbprint } });
const keys = createKeySource({
  ...{ issuer: issuer.url, location: 'discovery', refresh: 3.6e6, cooldown: 3.6e6, maxStale: 3.6e6 },
  ...{ fetch, readFile, now },
});
await keys.start();
keys.stop();
await issuer.close();

const folder = fileURLToPath(new URL('../policies', import.meta.url));
const { bundle } = await compileFolder(folder, [ENTRYPOINT]);
const compiled = await readBundle(bundle, { compiledHere: true });
const policy = await loadPolicy({ bundle: compiled, entrypoints: [ENTRYPOINT] });
const plain = await loadPolicy({ bundle: compiled, entrypoints: [ENTRYPOINT], reuse: false });
const bundles = new TrustBundles([parseTrustBundle('example.org', domain.bundlePem)], 1);
const rules = {
  audiences: ['orders'],
  algorithms: ['RS256'],
  profile: 'at+jwt',
  maxLifetime: 3.6e6,
  clockSkew: 0,
};
const identity = createIdentityVerifier({ source: 'certificate', bundles: { current: () => bundles } });
const tokens = createTokenVerifier({
  issuers: [{ issuer: issuer.url, ...rules, keys }],
  maxBytes: 8192,
  now,
});
const pipeline = createPipeline({
  ...{ identity, token: tokens, tokenMode: 'required', destination: () => undefined },
  ...{ policy: () => policy, entrypoint: ENTRYPOINT, now },
});
const log = createDecisionLog({ labels: {}, destination: { write: () => true }, onDrop: console.error });
const metrics = createMetrics('0', { jwks: () => [], trustBundles: () => [], policy: () => undefined });

const { Check } = authorizationService;
const request = checkRequest({ workload: frontend, method: 'GET', path: '/orders/7', token });
const bytes = Check.requestSerialize(request);
const decoded = decodeCheckRequest(bytes);
const facts = toFacts(decoded);
const first = await pipeline.decide(facts, { deadline: Infinity });
if (first.outcome !== 'allow') throw new Error(first.reason);
const decision = pipeline.decide(facts, { deadline: Infinity });
const encode = createDecisionEncoder();
const verified = { authorization: facts.authorization, peerThumbprint: thumbprint, now: now() };
const observation = { decision, facts, durations: { facts: 1, response: 1, total: 1 } };

const stages = {
  'decode the CheckRequest': () => decodeCheckRequest(bytes),
  '  … by protobufjs': () => Check.requestDeserialize(bytes),
  'facts from it': () => toFacts(decoded),
  'the decision': () => pipeline.decide(facts, { deadline: Infinity }),
  '  of which identity': () => identity.verify(facts.peer, verified.now),
  '  of which token': () => tokens.verify(verified),
  '  of which policy': () => policy.evaluate(ENTRYPOINT, decision.policy.input, verified.now),
  '  … nothing reused': () => plain.evaluate(ENTRYPOINT, decision.policy.input, verified.now),
  'the CheckResponse': () => encode(decision, []),
  '  … written afresh': () => encodeCheckResponse(toCheckResponse(decision)),
  metrics: () => metrics.observe(observation),
  'decision log line': () => log.record(observation),
};
const results = {};
for (const [name, work] of Object.entries(stages)) {
  const rounds = [];
  for (let round = 0; round < 12; round++) {
    const started = process.hrtime.bigint();
    for (let n = 0; n < 2000; n++) work();
    rounds.push(Number(process.hrtime.bigint() - started) / 2000 / 1000);
  }
  results[name.replace(/^[ …]+/, '')] = spread(rounds.slice(2)); // V8 warms up in the first two
}
if (process.argv.includes('--json')) console.log(JSON.stringify(results));
else
  for (const [name, { min, median, max }] of Object.entries(results)) {
    const columns = [min, median, max].map((value) => value.toFixed(1).padStart(6)).join(' ');
    console.log(`${name.padEnd(26)} ${columns} µs`);
  }
