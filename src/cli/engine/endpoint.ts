import { readFile } from 'node:fs/promises';
import { isFault, parseListenAddress } from '../../config/listen-address.js';
import type { Config } from '../../config/schema.js';
import type { Refusal } from '../../errors/refusal.js';
import type { Feed } from '../../feed/feed.js';
import type { Fetched } from '../../feed/polled-feed.js';
import { matchSpiffeIds } from '../../identity/spiffe-id-pattern.js';
import { createClients } from '../../server/clients.js';
import type { EndpointTls } from '../../server/grpc-server.js';
import type { ListenOptions } from '../../server/listener.js';
import type { ConnectionCode, ServerCertificate } from '../../server/mutual-tls.js';
import { createSvidFile } from '../../spiffe/svid-file.js';
import { prepareSvid, type ReceivedSvid } from '../../spiffe/workload-svids.js';
import type { Log } from '../../telemetry/log.js';
import { Failure } from '../failure.js';
import type { IdentityPart } from './identity.js';
import { standing, type EnginePart, type PartOptions, type Standing } from './part.js';
import type { RevocationPart } from './revocation.js';
import { groupNumber } from './socket-group.js';

type TlsConfig = NonNullable<Config['listen']['tls']>;

/** How this server proves who it is where Envoy asks, and who may ask there. */
export interface EndpointPart extends EnginePart {
  /** Whether there is something valid to show. True without `listen.tls`. */
  ready(): boolean;
  /**
   * For the server; undefined without `listen.tls`.
   *
   * @param onRefusal told of each connection that is refused
   */
  tls(onRefusal: (code: ConnectionCode) => void): EndpointTls | undefined;
  /** What is shown; undefined without `listen.tls`. */
  status(): { readonly notAfter?: number } | undefined;
}

/** Milliseconds for which an agent may hold up the start. */
const FIRST_SVID = 5_000;

/** Milliseconds between two lines of the log for the same reason: whoever can connect must not fill it. */
const QUIET = 10_000;

/** @throws Failure for files that the operator has to mend */
export async function startEndpoint(
  { listen }: Config,
  options: PartOptions,
  { identity, revocation }: { readonly identity: IdentityPart; readonly revocation: RevocationPart },
): Promise<EndpointPart> {
  const { tls } = listen;
  if (tls === undefined) return IN_THE_CLEAR;
  const { now, log } = options;
  const feed = await startSvids(tls, identity, options);
  const shown = createShown(feed, tls.spiffe_id);
  const fault = () => shown.fault(now());

  return {
    ready: () => fault() === undefined,
    status: () => {
      const { certificate } = shown.current();
      return certificate === undefined ? {} : { notAfter: certificate.notAfter };
    },
    checks: () => ({ [CERTIFICATE]: standing(fault() ?? feed.latest()?.lastError) }),
    standings: (): Standing[] => [[CERTIFICATE, fault() ?? feed.latest()?.lastError]],
    stop: () => feed.stop(),
    tls: (onRefusal) => {
      const tell = createTeller(log, now);
      return {
        certificate: () => shown.current().certificate,
        clients: createClients({
          bundles: identity.bundles,
          accepts: matchSpiffeIds(tls.clients),
          // While the list cannot be read every request is denied, and its caller is told so.
          revoked: (client, at) => {
            const refusal = revocation.check?.identity(client, at);
            return refusal?.code === 'identity_revoked' ? { ...refusal, code: refusal.code } : undefined;
          },
          now,
        }),
        onRefusal(refusal) {
          onRefusal(refusal.code);
          tell(refusal);
        },
        now,
        grace: listen.max_connection_age_grace,
      };
    },
  };
}

const CERTIFICATE = "this server's X.509-SVID";

const IN_THE_CLEAR: EndpointPart = {
  ready: () => true,
  tls: () => undefined,
  status: () => undefined,
  checks: () => ({}),
  standings: () => [],
  stop() {},
};

async function startSvids(
  { certificate, private_key: privateKey }: TlsConfig,
  identity: IdentityPart,
  { hub, now }: PartOptions,
): Promise<Feed<Fetched<readonly ReceivedSvid[]>>> {
  if (certificate === undefined || privateKey === undefined) {
    // The schema holds the one or the other together, and the agent is made for either.
    const feed = identity.own!.svids();
    await Promise.race([feed.start(), elapsed(FIRST_SVID)]);
    return feed;
  }
  const feed = createSvidFile({
    certificate,
    privateKey,
    readFile: (path) => readFile(path, 'utf8'),
    now,
    hub,
  });
  await feed.start();
  const { value, lastError } = feed.latest() ?? {};
  if (value === undefined) {
    feed.stop();
    throw new Failure(`listen.tls: ${lastError ?? 'the certificate was not read'}`);
  }
  return feed;
}

interface Shown {
  readonly certificate?: ServerCertificate;
  /** Why there is none. */
  readonly missing?: string;
}

/** What of the feed is shown: prepared when it changes, and not before. */
function createShown(feed: Feed<Fetched<readonly ReceivedSvid[]>>, wanted: string | undefined) {
  let prepared: (Shown & { readonly of?: ReceivedSvid | undefined }) | undefined;

  function current(): Shown {
    const { value, lastError } = feed.latest() ?? {};
    const svid = wanted === undefined ? value?.[0] : value?.find(({ spiffeId }) => spiffeId === wanted);
    if (svid === undefined)
      return {
        missing:
          value === undefined
            ? `there is none: ${lastError ?? 'it has not been obtained yet'}`
            : `there is none: the Workload API gives none of ${wanted}`,
      };
    // Each message and each look at the files makes another object of it, which is mostly the same.
    if (prepared === undefined || !isSame(prepared.of, svid))
      prepared = { certificate: prepare(svid), of: svid };
    return prepared;
  }

  return {
    current,
    fault(now: number): string | undefined {
      const { certificate, missing } = current();
      if (certificate === undefined) return missing;
      return now <= certificate.notAfter
        ? undefined
        : `it expired at ${new Date(certificate.notAfter).toISOString()}, and no other one has come`;
    },
  };
}

function isSame(one: ReceivedSvid | undefined, other: ReceivedSvid): boolean {
  return (
    one === other ||
    (one?.privateKey === other.privateKey && one.certificates.join() === other.certificates.join())
  );
}

function prepare(svid: ReceivedSvid): ServerCertificate {
  const { chainPem, privateKey, notAfter } = prepareSvid(svid);
  return { chain: chainPem, key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), notAfter };
}

/** Logs why connections are refused, each reason now and then, with how many it was meanwhile. */
function createTeller(log: Log, now: () => number): (refusal: Refusal<ConnectionCode>) => void {
  const told = new Map<ConnectionCode, { at: number; unsaid: number }>();
  return ({ code, detail }) => {
    const last = told.get(code);
    if (last !== undefined && now() - last.at < QUIET) return void last.unsaid++;
    told.set(code, { at: now(), unsaid: 0 });
    const more = last !== undefined && last.unsaid > 0 ? { more: last.unsaid } : {};
    log.warn({ code, error: detail, ...more }, 'a connection was refused');
  };
}

/**
 * Where the server listens, as the configuration has it.
 *
 * @throws Failure for a group that this machine does not know
 */
export async function listenOptions({ listen }: Config): Promise<ListenOptions> {
  const { grpc: address, socket_mode: mode, socket_group: group } = listen;
  if (!address.startsWith('unix:')) return { address };
  return {
    address,
    socketMode: Number.parseInt(mode, 8),
    ...(group !== undefined && { socketGroup: await groupNumber(group) }),
  };
}

/** Says in the log what others than Envoy might come by. */
export function warnOfExposure({ listen }: Config, log: Log): void {
  const { grpc, tls, socket_mode: mode } = listen;
  if (grpc.startsWith('unix:')) {
    if ((Number.parseInt(mode, 8) & 0o002) !== 0)
      log.warn(
        { grpc },
        'listen.socket_mode: every user of this machine may ask; a group that Envoy is one of is enough (listen.socket_group)',
      );
    return;
  }
  const address = parseListenAddress(grpc);
  if (tls !== undefined || isFault(address) || !('host' in address) || isLoopback(address.host)) return;
  log.warn(
    { grpc },
    'listen.grpc: other machines can reach this address, and nothing there is encrypted or proves who it is: whoever gets in between reads tokens and may answer in place of Countersign; add listen.tls, or listen on a Unix socket',
  );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds).unref());
}
