// node bench/identity.mjs: what identity alone costs, warm and cold, by source. Exits with 1 where a warm certificate
// costs more than its budget, or a cold one more than one signature.
import { X509Certificate } from 'node:crypto';
import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import { mintTrustDomain } from '../dist/demo/trust-domain.js';
import { parseTrustBundle, TrustBundles } from '../dist/identity/trust-bundle.js';
import { createIdentityVerifier } from '../dist/identity/verifier.js';

/** Microseconds for a warm certificate. */
const BUDGET = 5;
const ROUNDS = 21;

const domain = await mintTrustDomain('example.org');
const own = parseTrustBundle('example.org', domain.bundlePem);
const { publicKey, privateKey } = await generateKeyPair('ES256');
const jwk = { ...(await exportJWK(publicKey)), kid: 'k', use: 'jwt-svid' };
const { jwtAuthorities } = parseTrustBundle('example.org', JSON.stringify({ keys: [jwk] }));
const bundles = new TrustBundles([{ ...own, jwtAuthorities }], 1);
const now = Date.now();

const svids = await Promise.all(
  Array.from({ length: 500 }, (_, n) => domain.issueSvid(`/ns/shop/sa/frontend-${n}`)),
);
const gateway = await domain.issueSvid('/ns/edge/sa/gateway');
const encoded = ({ certPem }) => encodeURIComponent(certPem);
const evidence = (given) => ({
  ...{ certificate: '', principal: '', forwardedClientCert: [], header: () => [], path: '/orders/7' },
  ...given,
});
const shown = svids.map((svid) => evidence({ certificate: encoded(svid), principal: svid.spiffeId }));
const forwarded = svids.map((svid) =>
  evidence({
    certificate: encoded(gateway),
    principal: gateway.spiffeId,
    forwardedClientCert: [`Cert="${encoded(svid)}";URI=${svid.spiffeId}`],
  }),
);
const tokens = await Promise.all(
  svids.map(async ({ spiffeId }) => {
    const claims = { sub: spiffeId, aud: 'mesh', exp: Math.floor(now / 1000) + 3600 };
    const token = await new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .sign(privateKey);
    return evidence({ header: (name) => (name === 'x-spiffe-jwt-svid' ? [token] : []) });
  }),
);

const source = { current: () => bundles };
const xfcc = {
  ...{ trustedHops: 1, format: 'auto', from: new Set([gateway.spiffeId]), fromUnauthenticated: false },
};
const jwtSvid = { header: 'x-spiffe-jwt-svid', audiences: ['mesh'] };
const kinds = {
  certificate: [() => createIdentityVerifier({ source: 'certificate', bundles: source }), shown],
  xfcc: [() => createIdentityVerifier({ source: 'xfcc', xfcc, bundles: source }), forwarded],
  'JWT-SVID': [() => createIdentityVerifier({ source: 'jwt_svid', jwtSvid, bundles: source }), tokens],
};

let failed = false;
for (const [name, [make, requests]] of Object.entries(kinds)) {
  const signatures = countSignatures(() => make().verify(requests[0], now));
  const cold = measure(() => {
    const verifier = make();
    return () => ask(verifier, requests);
  }, requests.length);
  const verifier = make();
  ask(verifier, requests);
  const warm = measure(() => () => ask(verifier, requests), requests.length);
  // As requests come: each with texts of its own, which have to be hashed before they are found.
  const copied = measure(() => {
    const copies = requests.map((one) => structuredCopy(one));
    return () => ask(verifier, copies);
  }, requests.length);
  console.log(
    `${name.padEnd(12)} warm ${show(warm)}   warm, a text of its own ${show(copied)}   cold ${show(cold)}` +
      (signatures === undefined ? '' : `, X.509 signatures ${signatures}`),
  );
  if (name === 'certificate') failed = copied.median > BUDGET || signatures !== 1;
}
if (failed) process.exitCode = 1;

function ask(verifier, requests) {
  for (const request of requests) if (verifier.verify(request, now).refused) throw new Error('refused');
}

/** Strings that are equal and not the same, as they come off the wire. */
function structuredCopy({ certificate, principal, forwardedClientCert, ...rest }) {
  const copy = (text) => Buffer.from(text, 'latin1').toString('latin1');
  const lines = forwardedClientCert.map(copy);
  const [token] = rest.header('x-spiffe-jwt-svid');
  const own = token === undefined ? undefined : [copy(token)];
  return {
    ...rest,
    ...{ certificate: copy(certificate), principal: copy(principal), forwardedClientCert: lines },
    ...(own && { header: () => own }),
  };
}

function countSignatures(work) {
  const { verify } = X509Certificate.prototype;
  let count = 0;
  X509Certificate.prototype.verify = function (...args) {
    count++;
    return verify.apply(this, args);
  };
  work();
  X509Certificate.prototype.verify = verify;
  return count;
}

/** Microseconds for one, over rounds that are each set up anew; the first ones warm V8 up. */
function measure(setUp, count) {
  const rounds = [];
  for (let round = 0; round < ROUNDS + 5; round++) {
    const work = setUp();
    const started = process.hrtime.bigint();
    work();
    rounds.push(Number(process.hrtime.bigint() - started) / count / 1000);
  }
  const sorted = rounds.slice(5).sort((a, b) => a - b);
  return { least: sorted[0], median: sorted[Math.floor(ROUNDS / 2)] };
}

function show({ least, median }) {
  return `${median.toFixed(2)} µs (least ${least.toFixed(2)})`;
}
