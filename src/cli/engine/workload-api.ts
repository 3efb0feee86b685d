import { socketFault } from '../../config/workload-api-address.js';
import type { Config } from '../../config/schema.js';
import type { Feed } from '../../feed/feed.js';
import type { Fetched } from '../../feed/polled-feed.js';
import type { BundleSource } from '../../identity/bundle-store.js';
import { createJwtSvids, type FetchJwtSvid } from '../../spiffe/jwt-svids.js';
import { createWorkloadApi, type WorkloadApi } from '../../spiffe/workload-api.js';
import { createWorkloadBundles, type WorkloadBundles } from '../../spiffe/workload-bundles.js';
import { createWorkloadSvids, type ReceivedSvid } from '../../spiffe/workload-svids.js';
import { Failure } from '../failure.js';
import type { PartOptions, Standing } from './part.js';

/** The agent whose Workload API is asked. */
export interface Agent {
  /** Absent where no trust bundle comes from it. */
  readonly bundles?: WorkloadBundles;
  /** Of every trust domain that it sends. */
  everything(maxStale: number): readonly BundleSource[];
  /** The X.509-SVIDs of this very process, which are not asked for before. Starting the feed again changes nothing. */
  svids(): Feed<Fetched<readonly ReceivedSvid[]>>;
  /** Its JWT-SVIDs. To be called where things are fetched alone: what is obtained stays in that process. */
  readonly jwtSvid: FetchJwtSvid;
  standings(): readonly Standing[];
  streams(): readonly { readonly stream: string; readonly lastSuccess?: number }[];
  close(): void;
}

/**
 * @param withBundles whether any trust bundle comes from it
 * @throws Failure where no socket is configured, nor named by the environment
 */
export function createAgent(
  { workload_api: api }: Config['identity'],
  withBundles: boolean,
  { hub, now }: Pick<PartOptions, 'hub' | 'now'>,
): Agent {
  const socketPath = socketPathOf(api.socket);
  let client: WorkloadApi | undefined;
  const options = {
    // Where another process fetches, this one never opens the socket.
    api: () => (client ??= createWorkloadApi(socketPath)),
    refresh: api.refresh,
    now,
    hub,
  };
  const bundles = withBundles ? createWorkloadBundles(options) : undefined;
  let svids: Feed<Fetched<readonly ReceivedSvid[]>> | undefined;
  return {
    ...(bundles && { bundles }),
    everything: (maxStale) => bundles?.trustDomains().map((name) => bundles.source(name, maxStale)) ?? [],
    svids: () => (svids ??= startedOnce(createWorkloadSvids(options))),
    jwtSvid: createJwtSvids(options),
    standings: () =>
      bundles === undefined
        ? []
        : [
            ['trust bundles of the Workload API', bundles.x509.latest()?.lastError],
            ['JWT bundles of the Workload API', bundles.jwt.latest()?.lastError],
          ],
    streams: () => [
      ...(bundles
        ? [
            { stream: 'x509_bundles', ...lastMessage(bundles.x509) },
            { stream: 'jwt_bundles', ...lastMessage(bundles.jwt) },
          ]
        : []),
      ...(svids ? [{ stream: 'x509_svids', ...lastMessage(svids) }] : []),
    ],
    close() {
      svids?.stop();
      client?.close();
    },
  };
}

/** Several parts may use it, none of which knows of the others. */
function startedOnce<State>(feed: Feed<State>): Feed<State> {
  let started: Promise<void> | undefined;
  return { ...feed, start: () => (started ??= feed.start()) };
}

function lastMessage(feed: Feed<Fetched<unknown>>): { lastSuccess?: number } {
  const { lastSuccess } = feed.latest() ?? {};
  return lastSuccess === undefined ? {} : { lastSuccess };
}

/** SPIFFE Workload Endpoint, section 4: what is configured, else what the environment says. */
function socketPathOf(socket: string | undefined): string {
  const [place, address] =
    socket === undefined
      ? ['SPIFFE_ENDPOINT_SOCKET', process.env.SPIFFE_ENDPOINT_SOCKET]
      : ['identity.workload_api.socket', socket];
  if (address === undefined || address === '')
    throw new Failure(
      'identity.workload_api.socket: is missing, and SPIFFE_ENDPOINT_SOCKET is not set; write where the agent listens, as in unix:///run/spire/agent.sock',
    );
  const fault = socketFault(address);
  if (fault !== undefined) throw new Failure(`${place}: ${fault.wrong}; ${fault.mend}`);
  return address.slice('unix://'.length);
}
