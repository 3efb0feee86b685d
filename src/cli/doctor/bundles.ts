import { stat } from 'node:fs/promises';
import { createBundleStore } from '../../identity/bundle-store.js';
import { readCertificate, type Certificate } from '../../identity/certificate.js';
import { parseSpiffeId } from '../../identity/spiffe-id.js';
import type { TrustBundle } from '../../identity/trust-bundle.js';
import { isRefusal } from '../../errors/refusal.js';
import { localHub, type Feed } from '../../feed/feed.js';
import { createBundleFeed } from '../engine/bundle-feeds.js';
import { agentUses } from '../engine/bundles.js';
import { createAgent, type Agent } from '../engine/workload-api.js';
import { Failure } from '../failure.js';
import type { Examination } from './examine.js';
import type { Place } from './finding.js';
import { PATIENCE } from './reach.js';

const DAY = 24 * 3_600_000;
/** The most milliseconds before the end of an authority from which on it is told. */
const SOON = 14 * DAY;
/** The share of its life that is left then: SPIRE's live for a day, and the next one signs long before this. */
const LAST_PART = 1 / 6;

/** The trust bundles, obtained as the server obtains them, and the agent of the Workload API. */
export async function checkBundles(examination: Examination): Promise<void> {
  const { config, locate, notebook, offline, now } = examination;
  const { trust_domains: domains, max_stale: maxStale } = config.identity;
  const agent = offline ? undefined : startAgent(examination);
  const sources = Object.entries(domains)
    .filter(([, { bundle }]) => bundle !== undefined || !offline)
    .filter(([, { workload_api: api }]) => api !== true || agent !== undefined)
    .map(([name, domain]) =>
      createBundleFeed(name, domain, {
        hub: localHub,
        now,
        maxStale,
        agent,
        inForce: (other) => store.current().get(other),
      }),
    );
  const store = createBundleStore({ sources: sources.map(({ source }) => source), now });
  const feedsOf = (dependent: boolean): Feed<unknown>[] =>
    sources.filter(({ kind }) => (kind === 'dependent') === dependent).flatMap(({ feeds }) => feeds);
  const streams = agent
    ? [...(agent.bundles ? [agent.bundles.x509, agent.bundles.jwt] : []), agent.svids()]
    : [];
  try {
    await startAll([...feedsOf(false), ...streams]);
    store.update();
    await startAll(feedsOf(true));
    store.update();
    for (const { trustDomain, unavailable, error } of store.status()) {
      const place = locate('identity', 'trust_domains', trustDomain);
      const bundle = store.current().get(trustDomain);
      const why = error ?? unavailable;
      if (bundle === undefined || error !== undefined) {
        notebook.add('bundle_unavailable', place, why!, mendOf(domains[trustDomain]!));
      }
      if (bundle !== undefined) checkBundle(examination, place, bundle);
    }
    if (agent) checkAgent(examination, agent);
  } finally {
    for (const feed of [...feedsOf(false), ...feedsOf(true), ...streams]) feed.stop();
    agent?.close();
  }
  await checkFiles(examination);
}

/** Undefined where no bundle comes from it, or nothing says where it is. */
function startAgent({ config, notebook, locate, now }: Examination): Agent | undefined {
  const { forBundles, forItself } = agentUses(config);
  if (!forBundles && !forItself) return undefined;
  try {
    return createAgent(config.identity, forBundles, { hub: localHub, now });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const place = locate('identity', 'workload_api', 'socket');
    notebook.add('workload_api_unreachable', place, error.message, 'write it, or set SPIFFE_ENDPOINT_SOCKET');
    return undefined;
  }
}

async function startAll(feeds: readonly Feed<unknown>[]): Promise<void> {
  const late = new Promise((resolve) => void setTimeout(resolve, PATIENCE).unref());
  await Promise.race([Promise.all(feeds.map((feed) => feed.start())), late]);
}

function mendOf({ bundle, federation }: Examination['config']['identity']['trust_domains'][string]): string {
  if (bundle !== undefined)
    return 'write the roots of the trust domain there: PEM certificates, or a SPIFFE bundle';
  if (federation !== undefined)
    return 'check url, profile and how the endpoint proves itself (ca, or endpoint_spiffe_id and bootstrap)';
  return "let the agent send it: a registration entry for this server, which federates with the trust domain (SPIRE's federatesWith)";
}

function checkBundle(
  { config, notebook, now }: Examination,
  place: Place,
  { trustDomain, authorities, jwtAuthorities, sequence }: TrustBundle,
): void {
  const needsKeys = ['jwt_svid', 'wimse'].includes(config.identity.source);
  const federated = config.identity.trust_domains[trustDomain]?.federation !== undefined;
  notebook.saw(
    `bundle of ${trustDomain}: ${count(authorities.length, 'authority', 'authorities')}${lastOf(authorities)}, ${count(jwtAuthorities.keys.length, 'JWT key', 'JWT keys')}`,
  );
  if (needsKeys && jwtAuthorities.keys.length === 0) {
    notebook.add(
      'bundle_no_jwt_keys',
      place,
      `the bundle has no jwt-svid keys, which identity.source ${config.identity.source} needs`,
      'take a SPIFFE bundle (`spire-server bundle show -format spiffe`) in place of PEM, or the Workload API',
    );
  }
  if (federated && sequence === undefined) {
    notebook.add(
      'bundle_sequence_missing',
      place,
      'the bundle of the endpoint has no spiffe_sequence',
      'let the endpoint publish one (SPIFFE Trust Domain and Bundle, section 4.1.1)',
    );
  }
  if (authorities.length === 0) {
    if (!needsKeys) {
      notebook.add(
        'bundle_empty',
        place,
        'the bundle holds no authority',
        'obtain a bundle of the trust domain that has one',
      );
    }
    return;
  }
  checkDates({ notebook, now }, place, authorities);
  for (const [i, { fields }] of authorities.entries()) {
    // X509-SVID section 4.1: an authority that names a SPIFFE ID names its own trust domain.
    const others = fields.names.uris
      .map((uri) => parseSpiffeId(uri))
      .flatMap((id) => (isRefusal(id) || id.trustDomain === trustDomain ? [] : id.trustDomain));
    if (others.length === 0) continue;
    notebook.add(
      'bundle_other_domain',
      place,
      `certificate ${i + 1} is an authority of ${others.join(', ')}`,
      'take the bundle of this trust domain, or correct the name in identity.trust_domains',
    );
  }
}

function checkDates(
  { notebook, now }: Pick<Examination, 'notebook' | 'now'>,
  place: Place,
  authorities: readonly Certificate[],
): void {
  const at = now();
  const expired = authorities.filter(({ fields }) => fields.notAfter < at);
  const early = authorities.filter(({ fields }) => fields.notBefore > at);
  if (expired.length === authorities.length) {
    notebook.add(
      'bundle_expired',
      place,
      `every authority has expired, the last of them ${date(Math.max(...expired.map(({ fields }) => fields.notAfter)))}`,
      'obtain the bundle anew from the trust domain',
    );
  } else if (expired.length > 0) {
    notebook.add(
      'bundle_authority_expired',
      place,
      `${expired.length} of ${count(authorities.length, 'authority', 'authorities')} has expired`,
      'obtain the bundle anew, and let workloads get certificates of the newer authority',
    );
  }
  if (early.length > 0) {
    notebook.add(
      'bundle_authority_early',
      place,
      `${early.length} of ${count(authorities.length, 'authority', 'authorities')} is not valid before ${date(Math.min(...early.map(({ fields }) => fields.notBefore)))}`,
      'look at the clocks (`date -u`) of this machine and of the authority',
    );
  }
  const { notBefore, notAfter: last } = authorities
    .map(({ fields }) => fields)
    .reduce((one, other) => (other.notAfter > one.notAfter ? other : one));
  if (last >= at && last - at < Math.min(SOON, (last - notBefore) * LAST_PART)) {
    notebook.add(
      'bundle_expires_soon',
      place,
      `the last authority expires ${date(last)}`,
      'rotate the authority of the trust domain, and put the new one into the bundle before that',
    );
  }
}

function checkAgent({ config, notebook, locate, now }: Examination, agent: Agent): void {
  const place = locate('identity', 'workload_api', 'socket');
  const svids = agent.svids().latest();
  const x509 = agent.bundles?.x509.latest();
  if (x509?.value === undefined && svids?.value === undefined) {
    notebook.add(
      'workload_api_unreachable',
      place,
      `the agent gives nothing: ${x509?.lastError ?? svids?.lastError ?? 'it does not answer'}`,
      'start the agent, give this user its socket, and register this server as a workload',
    );
    return;
  }
  if (agent.bundles) {
    notebook.saw(`Workload API: bundles of ${agent.bundles.trustDomains().join(', ') || 'no trust domain'}`);
  }
  if (svids?.value === undefined) {
    notebook.add(
      agentUses(config).forItself ? 'listen_svid_missing' : 'workload_api_no_svid',
      place,
      `the agent gives no X.509-SVID: ${svids?.lastError ?? 'it does not answer'}`,
      'register this server as a workload, where it has to prove itself (workload_api: true in listen.tls, or in client_authentication)',
    );
    return;
  }
  const wanted = config.listen.tls?.spiffe_id;
  if (wanted !== undefined && !svids.value.some(({ spiffeId }) => spiffeId === wanted)) {
    notebook.add(
      'listen_svid_missing',
      locate('listen', 'tls', 'spiffe_id'),
      `the agent gives no SVID of ${wanted}`,
      `write one of ${svids.value.map(({ spiffeId }) => spiffeId).join(', ')}, or register this server as ${wanted}`,
    );
  }
  const at = now();
  for (const { spiffeId, certificates } of svids.value) {
    const leaf = readCertificate(Buffer.from(certificates[0]!, 'base64'));
    if (isRefusal(leaf)) continue; // the feed takes none that cannot be read
    const { notBefore, notAfter } = leaf.fields;
    notebook.saw(`Workload API: SVID ${spiffeId}, ${date(notBefore)} to ${date(notAfter)}`);
    if (notAfter < at) {
      notebook.add(
        'svid_expired',
        place,
        `the SVID ${spiffeId} has expired ${date(notAfter)}`,
        'restart the agent, and look at its log',
      );
    }
    if (notBefore > at + 5_000) {
      notebook.add(
        'clock_skew',
        place,
        `the SVID ${spiffeId} is not valid before ${date(notBefore)}: the authority's clock is ahead, or this one behind`,
        'keep both with NTP; find out with `date -u` which of them is wrong',
      );
    }
  }
}

async function checkFiles({ config, locate, notebook }: Examination): Promise<void> {
  for (const [name, { bundle, federation }] of Object.entries(config.identity.trust_domains)) {
    for (const [key, file] of [
      ['bundle', bundle],
      ['federation', federation?.bootstrap],
    ] as const) {
      const found = file === undefined ? undefined : await stat(file).catch(() => undefined);
      if (found === undefined || (found.mode & 0o002) === 0) continue;
      notebook.add(
        'bundle_exposed',
        { ...locate('identity', 'trust_domains', name, key), endpoint: file! },
        'everybody may write the file',
        `chmod o-w ${file}`,
      );
    }
  }
}

function lastOf(authorities: readonly Certificate[]): string {
  if (authorities.length === 0) return '';
  return ` until ${date(Math.max(...authorities.map(({ fields }) => fields.notAfter)))}`;
}

function date(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
