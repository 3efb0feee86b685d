import { createHash } from 'node:crypto';
import type { CheckRequest } from '../../src/envoy/messages.js';
import { isRefusal } from '../../src/errors/refusal.js';
import type { Algorithm } from '../../src/jws/algorithms.js';
import { readBundle, type Bundle } from '../../src/policy/bundle.js';
import { compileRego } from '../../src/rego/compiler.js';
import { readEntry } from '../../src/revocation/entry.js';
import type { Revocation } from '../../src/revocation/types.js';
import { NOW, TestCa, type TestCertificate } from '../support/ca.js';
import { DpopKey } from '../support/dpop.js';
import { xfccObject, xfccText } from '../support/xfcc.js';
import { jwks, TestKey } from '../token/support.js';
import type { Random } from './random.js';
import { DATA, POLICIES } from './policies.js';

export const ENTRYPOINT = 'mesh/authz/decision';

/** Who may say in x-forwarded-client-cert whose a request is. */
export const GATEWAY = 'spiffe://example.org/ns/edge/sa/gateway';

/** Where a request came in: at an Envoy that saw the workload's certificate, or at one behind a gateway that did. */
export type Edge = 'direct' | 'forwarded';

export interface IssuerText {
  readonly issuer: string;
  readonly algorithms: readonly Algorithm[];
}

/** Seconds that pass from the first request to the last, about. */
const SPAN = 14_000;

/** Seconds from one token's minting to the next one's. */
const PACE = 20;

interface Workload {
  readonly certificate: TestCertificate;
  readonly principal: string;
  readonly notAfter: number;
}

interface MintedToken {
  readonly text: string;
  /** Milliseconds. */
  readonly expires: number;
  /** The key that it is bound to. */
  readonly key?: DpopKey | undefined;
}

interface Cast {
  readonly workloads: readonly Workload[];
  readonly gateways: readonly TestCertificate[];
  readonly tokens: readonly MintedToken[];
  readonly keys: readonly DpopKey[];
}

export interface Asked {
  readonly edge: Edge;
  readonly request: CheckRequest;
}

/** Everything that requests are made of, and that changes under them. */
export interface World {
  readonly issuers: readonly IssuerText[];
  readonly bundles: readonly Bundle[];
  trust(random: Random): (readonly [string, string])[];
  keys(random: Random): (string | undefined)[];
  request(random: Random, now: number): Asked;
  /** What is revoked from now on, and since when the store of it cannot be reached. */
  revocations(
    random: Random,
    now: number,
  ): [entries: readonly Revocation[], unreachableSince: number | undefined];
  /** What the second issuer's server says of an opaque token: the same each time. */
  introspect(token: string): string;
  /** The next moment at which something expires to the millisecond, a token or a certificate. */
  nextExpiry(now: number): number;
}

export const START = NOW;

export async function mintWorld(random: Random): Promise<World> {
  const [own, second, brief, partner, rogue] = await Promise.all([
    TestCa.create({ name: 'CN=own', notAfter: START + 10 * SPAN * 1000 }),
    TestCa.create({ name: 'CN=second', notAfter: START + 10 * SPAN * 1000 }),
    TestCa.create({ name: 'CN=brief', notAfter: START + SPAN * 600 }),
    TestCa.create({ name: 'CN=partner', notAfter: START + 10 * SPAN * 1000 }),
    TestCa.create({ name: 'CN=rogue', notAfter: START + 10 * SPAN * 1000 }),
  ]);
  const cas = { 'example.org': [own, second, brief], 'partner.example': [partner] };
  const workloads: Workload[] = [];
  for (let n = 0; n < 40; n++) {
    const ca = n < 30 ? [own, second, brief][n % 3]! : n < 37 ? partner : rogue;
    const domain = n >= 30 && n < 37 ? 'partner.example' : 'example.org';
    const principal = `spiffe://${domain}/ns/shop/sa/${random.pick(['frontend', 'orders', 'jobs'])}`;
    const notAfter = START + Math.floor(((n < 15 ? 0.6 : 0.1) + 1.6 * random.next()) * SPAN) * 1000;
    const notBefore = random.once(8) ? START + random.below(SPAN) * 1000 : START - 3_600_000;
    if (notBefore >= notAfter) continue;
    workloads.push({
      certificate: await ca.issue({ uris: [principal], notBefore, notAfter }),
      principal,
      notAfter,
    });
  }

  const gateways = await Promise.all(
    [0.3, 0.7, 3].map((part) =>
      own.issue({ uris: [GATEWAY], notBefore: START - 3_600_000, notAfter: START + part * SPAN * 1000 }),
    ),
  );
  const proofKeys = await Promise.all([1, 2, 3].map(() => DpopKey.create()));
  const answers = new Map<string, string>();

  const issuers: IssuerText[] = [
    { issuer: 'https://idp.example.org', algorithms: ['RS256', 'ES256'] },
    { issuer: 'https://partner.example', algorithms: ['RS256'] },
  ];
  const signers = [
    [await TestKey.create('a', 'RS256'), await TestKey.create('b', 'RS256'), await TestKey.create('c')],
    // One key under the id of another issuer's, and two keys that share an id.
    [
      await TestKey.create('a', 'RS256'),
      await TestKey.create('d', 'RS256'),
      await TestKey.create('d', 'RS256'),
    ],
  ];
  const tokens: MintedToken[] = [];
  for (let at = 0; at < SPAN * 1.2; at += PACE) {
    const which = random.below(4) === 0 ? 1 : 0;
    const iat = START / 1000 + at - random.below(100);
    const lifetime = 40 + random.below(random.once(3) ? 900 : 150);
    const bound = random.once(4) ? random.pick(workloads).certificate.der : undefined;
    const key = random.once(6) ? random.pick(proofKeys) : undefined;
    const confirmation = {
      ...(bound && { 'x5t#S256': createHash('sha256').update(bound).digest('base64url') }),
      ...(key && { jkt: key.thumbprint }),
    };
    const claims = {
      iss: issuers[which]!.issuer,
      iat,
      exp: iat + lifetime,
      ...(random.once(5) && { nbf: iat + random.below(lifetime) }),
      aud: random.once(12)
        ? 'elsewhere'
        : random.pick<string | string[]>(['orders', 'billing', ['orders', 'x']]),
      sub: `user-${random.below(20)}`,
      client_id: 'frontend',
      scope: random.pick(['orders:read', 'orders:read orders:write', 'orders:read', '', 'admin']),
      jti: `token-${tokens.length}`,
      ...((bound ?? key) && { cnf: confirmation }),
    };
    if (which === 1 && random.once(3)) {
      const text = `opaque-${tokens.length}`;
      answers.set(text, JSON.stringify(random.once(10) ? { active: false } : { active: true, ...claims }));
      tokens.push({ text, expires: claims.exp * 1000, key });
      continue;
    }
    const signer = random.pick(signers[random.once(30) ? 1 - which : which]!);
    const text = await signer.token(claims, random.once(40) ? { typ: 'JWT' } : {});
    tokens.push({ text: random.once(40) ? tampered(text) : text, expires: claims.exp * 1000, key });
  }

  const cast = { workloads, gateways, tokens, keys: proofKeys };
  return {
    issuers,
    bundles: await compileAll(),
    trust(random) {
      return Object.entries(cas).flatMap(([domain, all]) => {
        if (random.once(30)) return [];
        const left = all.filter(() => !random.once(12));
        return left.length === 0
          ? [[domain, '{"keys":[]}'] as const]
          : [[domain, left.map(({ certificate }) => certificate.pem).join('\n')] as const];
      });
    },
    keys: (random) =>
      signers.map((keys) => (random.once(15) ? undefined : jwks(...keys.filter(() => !random.once(6))))),
    request: (random, now) => requestOf(random, now, cast),
    introspect: (token) => answers.get(token) ?? '{"active":false}',
    revocations(random, now) {
      const seconds = Math.floor(now / 1000);
      const entries = Array.from({ length: random.below(6) }, () => {
        const target = random.pick<object>([
          {
            jti: `token-${Math.floor((now - START) / 1000 / PACE) + random.below(6) - 3}`,
            issuer: issuers[0]!.issuer,
          },
          { subject: `user-${random.below(20)}`, issuer: random.pick(issuers).issuer },
          {
            subject: `user-${random.below(20)}`,
            issuer: issuers[0]!.issuer,
            issued_before: seconds - random.below(60),
          },
          { spiffe_id: random.pick(workloads).principal },
          { spiffe_id: 'spiffe://partner.example' },
          { spiffe_id: random.pick(workloads).principal, issuer: issuers[1]!.issuer },
        ]);
        const entry = readEntry(
          { ...target, ...(random.once(2) && { expires: seconds + 1 + random.below(300) }) },
          { source: random.pick(['file', 'admin'] as const), now },
        );
        if ('wrong' in entry) throw new Error(`${entry.key} ${entry.wrong}`);
        return entry;
      });
      // The same said twice is one entry.
      const distinct = new Map(entries.map((entry) => [`${entry.source} ${entry.id}`, entry]));
      return [[...distinct.values()], random.once(4) ? now - random.below(90_000) : undefined];
    },
    nextExpiry(now) {
      const times = [...tokens.map(({ expires }) => expires), ...workloads.map(({ notAfter }) => notAfter)];
      return Math.min(...times.filter((time) => time > now));
    },
  };
}

function tampered(token: string): string {
  const at = token.length - 20;
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}

async function compileAll(): Promise<Bundle[]> {
  const compiled = await Promise.all(
    POLICIES.map(async (content) => {
      const outcome = await compileRego([{ path: 'authz.rego', content }], { entrypoints: [ENTRYPOINT] });
      if (isRefusal(outcome)) throw new Error(outcome.detail);
      const bundle = await readBundle(outcome.bundle, { compiledHere: true });
      if (isRefusal(bundle)) throw new Error(bundle.detail);
      return bundle;
    }),
  );
  return compiled.flatMap((bundle, policy) =>
    DATA.map((data, variant) => ({ ...bundle, data, revision: `p${policy}d${variant}` })),
  );
}

/** Most callers are those of a moment ago, with the token that they had then. */
function requestOf(random: Random, now: number, { workloads, gateways, tokens, keys }: Cast): Asked {
  const workload = workloads[Math.floor(random.next() ** 2 * workloads.length)]!;
  const newest = (now - START) / 1000 / PACE;
  const token = tokens[Math.max(0, Math.min(tokens.length - 1, Math.floor(newest - random.below(6) + 1)))]!;
  const principal = random.once(60) ? 'spiffe://example.org/ns/shop/sa/other' : workload.principal;
  const method = random.pick(['GET', 'GET', 'GET', 'POST', 'DELETE']);
  const path = random.pick(['/orders/1', '/orders/7?x=1&x=2', '/orders', '/admin/jobs', '/a/../b', '/other']);
  const headers: Record<string, string> = { 'x-tenant': random.pick(['red', 'blue', 'green']) };
  if (!random.once(8)) {
    headers.authorization = `${token.key === undefined ? 'Bearer' : 'DPoP'} ${token.text}`;
    if (token.key !== undefined && !random.once(20))
      headers.dpop = proofOf(random, now, random.once(20) ? random.pick(keys) : token.key, {
        token: token.text,
        htm: method,
        htu: `https://shop.example.org${random.once(20) ? '/elsewhere' : path.split('?')[0]}`,
      });
  }
  if (random.once(150)) headers['x-conflict'] = 'yes';
  if (random.once(6)) headers['x-request-id'] = String(random.below(1_000_000));
  if (random.once(100)) headers['x-countersign-subject'] = 'forged';
  const extensions: Record<string, string> = {};
  if (random.once(10)) extensions['countersign.token'] = random.pick(['required', 'off', 'optional']);
  if (random.once(10)) extensions['countersign.audience'] = random.pick(['orders', 'billing']);

  const forwarded = random.once(5);
  const peer = forwarded ? random.pick(gateways) : workload.certificate;
  if (forwarded && !random.once(30)) headers['x-forwarded-client-cert'] = forwardedBy(random, workload);
  const request = {
    attributes: {
      source: {
        principal: forwarded ? GATEWAY : principal,
        certificate: random.once(200) ? '' : peer.encoded,
        address: { socketAddress: { address: '192.0.2.1', portValue: 1024 + random.below(4) } },
      },
      destination: { principal: random.pick(['', 'spiffe://example.org/ns/shop/sa/orders']) },
      request: {
        time: { seconds: Math.floor(now / 1000), nanos: (now % 1000) * 1_000_000 },
        http: { method, path, host: 'shop.example.org', scheme: 'https', headers },
      },
      contextExtensions: extensions,
    },
  };
  return { edge: forwarded ? 'forwarded' : 'direct', request };
}

/** What a gateway wrote of this workload, in one of its forms; sometimes after what the client itself wrote. */
function forwardedBy(random: Random, { certificate: leaf, principal }: Workload): string {
  const peer = { leaf: random.once(40) ? { ...leaf, hash: '0'.repeat(64) } : leaf, uris: [principal] };
  if (random.once(3)) return JSON.stringify([xfccObject(peer)]);
  return random.once(4) ? `By=spiffe://example.org/x;Hash=00,${xfccText(peer)}` : xfccText(peer);
}

/** One of few ids, so that some come again. */
function proofOf(
  random: Random,
  now: number,
  key: DpopKey,
  claims: { token: string; htm: string; htu: string },
) {
  const { token, ...target } = claims;
  return key.raw(
    JSON.stringify({ alg: 'ES256', typ: 'dpop+jwt', jwk: key.jwk }),
    JSON.stringify({
      jti: `proof-${random.once(8) ? random.below(20) : random.below(1_000_000_000)}`,
      iat: Math.floor(now / 1000) - random.below(random.once(10) ? 90 : 40),
      ath: createHash('sha256').update(token).digest('base64url'),
      ...target,
    }),
  );
}
