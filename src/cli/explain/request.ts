import { randomUUID, X509Certificate } from 'node:crypto';
import { createHash } from 'node:crypto';
import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import type { Config } from '../../config/schema.js';
import type { Decision } from '../../decision/decision.js';
import { localHub, type Hub } from '../../feed/feed.js';
import { createPipeline } from '../../decision/pipeline.js';
import { mintTrustDomain, type Svid, type TrustDomain } from '../../demo/trust-domain.js';
import { toFacts } from '../../envoy/facts.js';
import type { CheckRequest } from '../../envoy/messages.js';
import { isRefusal } from '../../errors/refusal.js';
import { compilePathTemplate, DEFAULT_PATH_TEMPLATE } from '../../identity/path-template.js';
import { parseWorkloadId } from '../../identity/spiffe-id.js';
import { parseTrustBundle, TrustBundles, type TrustBundle } from '../../identity/trust-bundle.js';
import { createIdentityVerifier } from '../../identity/verifier.js';
import { createDestinationReader } from '../../identity/workload.js';
import { parseExact, stringifyExact, type ExactJson } from '../../json/exact.js';
import type { Policy } from '../../policy/types.js';
import { parseKeySet } from '../../jws/key-set.js';
import { createTokenVerifier } from '../../token/verifier.js';
import { startAskedServers } from '../engine/asked-servers.js';
import { startBroker } from '../engine/broker.js';
import { Failure } from '../failure.js';
import { issuerRules, type IssuerRules } from '../issuer-rules.js';

/** A request as one writes it down: what its caller shows, and what it asks for. */
export interface PastedRequest {
  /** `POST /orders?x=1` */
  readonly line: string;
  readonly svid: string;
  /** JSON object; claims that are left out are filled in. Absent for a request without a token. */
  readonly claims?: string;
  /** Whether the token is bound to the certificate (RFC 8705). */
  readonly bound: boolean;
  /** `name: value` */
  readonly headers: readonly string[];
  readonly body?: string;
  /** `name=value`, as Envoy's configuration of the route has them. */
  readonly contextExtensions: readonly string[];
}

export interface DecideOptions {
  readonly policy: Policy;
  readonly entrypoint: string;
  /** Whose token mode, issuers and trust domains apply. */
  readonly config?: Config;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface DecidedRequest {
  readonly decision: Decision;
  /** Claims that the token had to have and that were not given. */
  readonly filledIn: readonly string[];
}

/** Seconds that a token lives unless `exp` is given. */
const LIFETIME = 300;

/** What applies where no configuration is given: the defaults of one, and an issuer that nobody has to know. */
const ISSUER = {
  issuer: 'https://issuer.example',
  audiences: ['countersign-explain'],
  algorithms: ['ES256'],
  profile: 'at+jwt',
  max_lifetime: 3_600_000,
  clock_skew: 0,
  claims: { scopes: ['scope', 'scp'], roles: ['roles'], groups: ['groups'] },
} as const satisfies IssuerRules;

/**
 * Decides a request by the stages that serve: a certificate is minted for the SPIFFE ID and a token for the
 * claims, and both are then verified as any other.
 *
 * @throws Failure for what is not a request, a SPIFFE ID or claims
 */
export async function decideRequest(
  request: PastedRequest,
  { policy, entrypoint, config, now }: DecideOptions,
): Promise<DecidedRequest> {
  const workload = parseWorkloadId(request.svid);
  if (isRefusal(workload)) throw new Failure(`--svid: ${workload.detail} (write spiffe://trust-domain/path)`);
  const domain = await mintTrustDomain(workload.trustDomain);
  const svid = await domain.issueSvid(workload.path);
  const claims = request.claims === undefined ? undefined : readClaims(request.claims);
  const issuer = issuerOf(config, claims);
  const token = claims && (await mintToken(claims, issuer, { svid, bound: request.bound, now }));

  const bundles = new TrustBundles(knows(config, workload.trustDomain) ? [bundleOf(domain)] : [], 1);
  const keys = await parseKeySet(JSON.stringify({ keys: token ? [token.key] : [] }));
  const template = compilePathTemplate(config?.identity.kubernetes.path_template ?? DEFAULT_PATH_TEMPLATE);
  const pipeline = createPipeline({
    identity: createIdentityVerifier({
      source: 'certificate',
      bundles: { current: () => bundles },
      template,
    }),
    destination: createDestinationReader(template),
    token: createTokenVerifier({
      issuers: [
        {
          ...issuerRules(issuer),
          keys: {
            current: () => keys,
            demand: async () => {},
            start: async () => {},
            stop: () => {},
            status: () => ({ issuer: issuer.issuer, keys: 1, stale: false }),
          },
        },
      ],
      maxBytes: config?.token.max_bytes ?? 8192,
      ...(config && { binding: config.token.binding, maxActors: config.token.delegation.max_depth }),
      now: () => now,
    }),
    tokenMode: config?.token.mode ?? 'required',
    broker: config && unaskedBroker(config, now),
    policy: () => policy,
    entrypoint,
    now: () => now,
  });
  const check = checkRequest(request, svid, token?.jwt);
  const decision = await pipeline.decide(toFacts(check), { deadline: Infinity });
  return { decision, filledIn: token?.filledIn ?? [] };
}

/** Holds what a policy wants for the upstream to the configuration, and asks no server for it. */
function unaskedBroker(config: Config, now: number) {
  const given = { token: 'not-obtained', obtainedAt: now };
  const hub: Hub = { ...localHub, service: () => () => given as never };
  return startBroker(config, { hub, now: () => now, servers: startAskedServers() }, {});
}

/**
 * Whether a workload of this domain is one that the server would know. Where its real bundle comes from is not
 * asked, and nothing is fetched: the certificate is minted here, and so is what vouches for it.
 */
function knows(config: Config | undefined, trustDomain: string): boolean {
  if (config === undefined) return true;
  const { trust_domains: domains, workload_api: api } = config.identity;
  return api.federated === 'all' || Object.hasOwn(domains, trustDomain);
}

function bundleOf({ name, bundlePem }: TrustDomain): TrustBundle {
  const bundle = parseTrustBundle(name, bundlePem);
  if (isRefusal(bundle)) throw new Error(bundle.detail);
  return bundle;
}

/** The configured issuer of these claims; without one that suits, any, which the verifier then refuses. */
function issuerOf(config: Config | undefined, claims: Claims | undefined): IssuerRules {
  if (config) {
    const { issuers } = config.token;
    return issuers.find(({ issuer }) => issuer === claims?.iss) ?? issuers[0] ?? ISSUER;
  }
  const { iss, aud } = claims ?? {};
  const audience = Array.isArray(aud) ? aud[0] : aud;
  return {
    ...ISSUER,
    ...(typeof iss === 'string' && { issuer: iss }),
    ...(typeof audience === 'string' && { audiences: [audience] }),
  };
}

type Claims = { readonly [name: string]: ExactJson };

function readClaims(text: string): Claims {
  let value: ExactJson;
  try {
    value = parseExact(text);
  } catch (error) {
    throw new Failure(`--token-claims: not JSON (${(error as Error).message})`);
  }
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    throw new Failure('--token-claims: not a JSON object');
  return value as Claims;
}

async function mintToken(
  claims: Claims,
  issuer: IssuerRules,
  { svid, bound, now }: { svid: Svid; bound: boolean; now: number },
) {
  const algorithm = issuer.algorithms[0]!;
  const seconds = Math.floor(now / 1000);
  const issued = typeof claims.iat === 'number' ? claims.iat : seconds;
  const name = svid.spiffeId.slice(svid.spiffeId.lastIndexOf('/') + 1);
  const defaults: Claims = {
    iss: issuer.issuer,
    aud: issuer.audiences[0]!,
    sub: name,
    client_id: name,
    iat: typeof claims.exp === 'number' && claims.exp <= seconds ? claims.exp - LIFETIME : seconds,
    exp: issued + LIFETIME,
    jti: randomUUID(),
    ...(bound && { cnf: { 'x5t#S256': thumbprint(svid) } }),
  };
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const key = { ...(await exportJWK(publicKey)), alg: algorithm, use: 'sig', kid: 'explain' };
  // null stands for a claim that is to be left out.
  const payload = Object.fromEntries(
    Object.entries({ ...defaults, ...claims }).filter(([, value]) => value !== null),
  );
  const jwt = await new CompactSign(new TextEncoder().encode(stringifyExact(payload)))
    .setProtectedHeader({ alg: algorithm, typ: 'at+jwt', kid: 'explain' })
    .sign(privateKey);
  return { jwt, key, filledIn: Object.keys(defaults).filter((claim) => !Object.hasOwn(claims, claim)) };
}

/** RFC 8705 section 3.1 */
function thumbprint({ certPem }: Svid): string {
  return createHash('sha256').update(new X509Certificate(certPem).raw).digest('base64url');
}

/** As Envoy would ask, with TLS ended by it. */
function checkRequest(request: PastedRequest, svid: Svid, token: string | undefined): CheckRequest {
  const [, method, path] = /^\s*([A-Z]+)\s+(\S+)\s*$/.exec(request.line) ?? [];
  if (method === undefined || path === undefined)
    throw new Failure(`--request: write method and path, as in 'GET /orders/7?expand=items'`);
  const headers: { [name: string]: string } = {};
  for (const header of request.headers) {
    const at = header.indexOf(':', 1);
    if (at === -1) throw new Failure(`--header: write 'name: value'`);
    const name = header.slice(0, at).trim().toLowerCase();
    const value = header.slice(at + 1).trim();
    // As Envoy hands repeated headers over.
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
  }
  const host = headers.host ?? headers[':authority'] ?? 'service.example';
  delete headers.host;
  if (request.body !== undefined && isJson(request.body)) headers['content-type'] ??= 'application/json';
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  return {
    attributes: {
      source: {
        address: { socketAddress: { address: '192.0.2.1', portValue: 40000 } },
        principal: svid.spiffeId,
        certificate: encodeURIComponent(svid.certPem),
      },
      destination: { address: { socketAddress: { address: '192.0.2.2', portValue: 443 } } },
      contextExtensions: Object.fromEntries(request.contextExtensions.map(pair)),
      request: {
        http: {
          id: '1',
          method,
          path,
          host,
          scheme: 'https',
          protocol: 'HTTP/2',
          headers: { ':authority': host, ':method': method, ':path': path, ':scheme': 'https', ...headers },
          ...(request.body !== undefined && { body: request.body, size: Buffer.byteLength(request.body) }),
        },
      },
    },
  };
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new Failure(`--context-extension: write name=value, as in countersign.audience=orders`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
