import { isRefusal } from '../../src/errors/refusal.js';
import { readCertificate, readEnvoyCertificates } from '../../src/identity/certificate.js';
import { verifyCertificate } from '../../src/identity/certificate-verifier.js';
import { readForwardedCertificates } from '../../src/identity/forwarded-certificate.js';
import { verifyJwtSvid } from '../../src/identity/jwt-svid.js';
import { compilePathTemplate, DEFAULT_PATH_TEMPLATE } from '../../src/identity/path-template.js';
import { parseSpiffeId } from '../../src/identity/spiffe-id.js';
import { parseTrustBundle, TrustBundles } from '../../src/identity/trust-bundle.js';
import { parseXfcc } from '../../src/identity/xfcc.js';
import { nameConstraints, NOW, TestCa, unknownExtension, WORKLOAD } from '../support/ca.js';
import { JwtKey, SECONDS } from '../support/jwt-authority.js';
import type { Random } from '../support/random.js';
import { xfccObject, xfccText } from '../support/xfcc.js';
import { mutateTree, readTree } from './mutate-der.js';
import { mutateText } from './mutate-text.js';
import { TOKEN_TARGETS } from './token-targets.js';

/** One parser: makes an input, reads it, and throws an Error when what came of it breaks a rule. */
export type Target = (random: Random) => void;

/** An ID once more, in the words of the specification rather than in ours. */
const ID = /^spiffe:\/\/(?=[^/]{1,255}(?:\/|$))[a-z0-9._-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$/;

const spiffeIds = {
  samples: [
    'spiffe://example.org',
    WORKLOAD,
    `spiffe://${'a'.repeat(255)}/b`,
    `spiffe://a/${'b'.repeat(2036)}`,
  ],
  pieces: [
    'spiffe://',
    '/',
    '//',
    '.',
    '..',
    '/../',
    '/./',
    ':443',
    'user@',
    '?',
    '#',
    '%2e',
    '%2F',
    'A',
    'a',
    '-',
    '_',
    ';By=',
    ',',
  ],
};

function spiffeId(random: Random): void {
  const text = mutateText(spiffeIds, random);
  const id = parseSpiffeId(text);
  const valid = text.length <= 2048 && ID.test(text);
  if (isRefusal(id) === valid) throw new Error(`${valid ? 'refused' : 'accepted'}: ${JSON.stringify(text)}`);
  if (!isRefusal(id) && `spiffe://${id.trustDomain}${id.path}` !== text)
    throw new Error('taken apart wrongly');
}

const ca = await TestCa.create();
const bundle = parseTrustBundle('example.org', ca.certificate.pem);
if (isRefusal(bundle)) throw new Error(bundle.detail);
const options = {
  bundles: new TrustBundles([bundle], 1),
  template: compilePathTemplate(DEFAULT_PATH_TEMPLATE),
  source: 'certificate' as const,
  now: NOW,
};
const leaf = await ca.issue();
const leaves = [
  leaf,
  await ca.issue({ uris: [WORKLOAD, 'spiffe://example.org/b'], dns: ['a.example'] }),
  await ca.issue({ extensions: [nameConstraints(['example.org']), unknownExtension(true)] }),
  await ca.issue({ keyUsage: null, extendedKeyUsage: null }),
  ca.certificate,
];
const trees = leaves.map(({ der }) => readTree(der));
const genuine = new Set(leaves.map(({ der }) => der.toString('latin1')));

function certificate(random: Random): void {
  const der = mutateTree(random.of(trees), trees, random);
  const read = readCertificate(der);
  if (isRefusal(read)) {
    if (read.code !== 'certificate_malformed') throw new Error(`refused with ${read.code as string}`);
    return;
  }
  const verified = verifyCertificate({ leaf: read, intermediates: [] }, options);
  if (!isRefusal(verified) && !genuine.has(der.toString('latin1')))
    throw new Error(`trusted: ${der.toString('hex')}`);
}

const pems = {
  samples: [leaf.encoded, leaf.pem, leaf.encoded + ca.certificate.encoded],
  pieces: [
    '-----BEGIN CERTIFICATE-----',
    '-----END CERTIFICATE-----',
    '%0A',
    '%2B',
    '%',
    '%zz',
    '%ff',
    '=',
    '==',
    '-',
    'MII',
    '-----BEGIN PRIVATE KEY-----',
  ],
};
/** A body may break its lines elsewhere: what counts is that no other certificate comes out. */
const known = new Set([leaf.hash, ca.certificate.hash]);

function envoyCertificate(random: Random): void {
  const read = readEnvoyCertificates(mutateText(pems, random));
  if (isRefusal(read)) return;
  for (const each of read) {
    const verified = verifyCertificate({ leaf: each, intermediates: [] }, options);
    if (!isRefusal(verified) && !known.has(verified.identity.fingerprint!))
      throw new Error('another certificate');
  }
}

const victim = { leaf, uris: [WORKLOAD] };
const short = `Hash=${leaf.hash};Cert="x";URI=${WORKLOAD}`;
const lines = {
  samples: [
    short,
    `By=a;${short}`,
    `${short},${short}`,
    'Subject="CN=a,O=\\"b\\"";DNS=c',
    '[{"hash":"a","uri":["b"]}]',
    JSON.stringify([{ cert: 'a', chain: ['b'], dns: ['c'] }, {}]),
  ],
  pieces: [
    'Cert=',
    'Hash=',
    'URI=',
    'Chain=',
    'By=',
    'Subject="',
    ',',
    ';',
    '=',
    '"',
    '\\',
    '\\"',
    '",',
    '[',
    ']',
    '{',
    '}',
    '"cert":',
    'null',
    '1e999',
    WORKLOAD,
  ],
};
const appended = `By=spiffe://example.org/gateway;Hash=${leaf.hash};Subject="CN=x";URI=${WORKLOAD}`;
const [last] = parseXfcc(appended) as object[];

function xfcc(random: Random): void {
  const line = mutateText(lines, random);
  const read = parseXfcc(line);
  if (isRefusal(read)) {
    if (read.code !== 'xfcc_malformed') throw new Error(`refused with ${read.code as string}`);
  } else if (read.length === 0) throw new Error('no element');
  // Whatever a client wrote, what the next proxy appends is an element of its own or the line is refused.
  const more = parseXfcc(`${line},${appended}`);
  if (!isRefusal(more) && JSON.stringify(more.at(-1)) !== JSON.stringify(last))
    throw new Error(`swallowed by ${JSON.stringify(line)}`);
}

const whole = {
  samples: [
    xfccText(victim),
    `${xfccText(victim)},${xfccText(victim)}`,
    JSON.stringify([xfccObject(victim)]),
    JSON.stringify([xfccObject(victim), xfccObject(victim)]),
  ],
  pieces: [...lines.pieces, `Cert="${leaf.encoded}"`, `Hash=${leaf.hash}`],
};

function forwardedCertificate(random: Random): void {
  const read = readForwardedCertificates(
    random.some(1, 2, () => mutateText(whole, random)),
    {
      trustedHops: 1 + random.below(3),
      format: random.of(['auto', 'text', 'json'] as const),
    },
  );
  if (isRefusal(read)) return;
  for (const shown of [read.client, ...read.hops]) {
    const verified = verifyCertificate(shown, options);
    if (!isRefusal(verified) && verified.identity.fingerprint !== leaf.hash)
      throw new Error('another certificate');
  }
}

const jwtKey = await JwtKey.create();
const jwtBundle = parseTrustBundle('example.org', JSON.stringify({ keys: [jwtKey.entry()] }));
if (isRefusal(jwtBundle)) throw new Error(jwtBundle.detail);
const jwtOptions = { ...options, bundles: new TrustBundles([jwtBundle], 2), audiences: ['mesh'] };
const claims = { sub: WORKLOAD, aud: 'mesh', exp: SECONDS + 60 };
const tokens = {
  samples: [
    await jwtKey.sign(claims),
    await jwtKey.sign({ ...claims, aud: ['mesh'], nbf: 1 }, { typ: 'JWT' }),
  ],
  pieces: ['.', '..', '=', 'eyJ', 'e30', 'W10', 'bnVsbA', 'eyJhbGciOiJub25lIn0', '-', '_', '+', '/'],
};
const signed = new Set(tokens.samples);

function jwtSvid(random: Random): void {
  const token = mutateText(tokens, random);
  const verified = verifyJwtSvid(token, jwtOptions);
  if (!isRefusal(verified) && !signed.has(token)) throw new Error(`trusted: ${JSON.stringify(token)}`);
}

/** By the name that `npm run fuzz` knows each by. */
export const TARGETS: { readonly [name: string]: Target } = {
  'spiffe-id': spiffeId,
  certificate,
  'envoy-certificate': envoyCertificate,
  xfcc,
  'forwarded-certificate': forwardedCertificate,
  'jwt-svid': jwtSvid,
  ...TOKEN_TARGETS,
};
