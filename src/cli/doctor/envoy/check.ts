import { readFile } from 'node:fs/promises';
import type { Config } from '../../../config/schema.js';
import type { Notebook } from '../finding.js';
import { checkClusters } from './clusters.js';
import { report, type EnvoyContext } from './context.js';
import { EnvoyNode } from './document.js';
import { checkTcpExtAuthz, HTTP_EXT_AUTHZ, TCP_EXT_AUTHZ } from './ext-authz.js';
import { checkFilters } from './filters.js';
import { checkIstio, isManifest } from './istio.js';
import { checkManager } from './manager.js';
import { findPieces, type Chain } from './pieces.js';
import { checkRoutes } from './routes.js';
import { checkTls } from './tls.js';

const MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const TCP_PROXY = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';

/** Envoy's side of it. The files are taken together: listeners may stand in one, and clusters in another. */
export async function checkEnvoy(
  files: readonly string[],
  config: Config | undefined,
  notebook: Notebook,
): Promise<void> {
  const documents = (await Promise.all(files.map((file) => read(file, notebook)))).flat();
  if (documents.length === 0) return;
  const context: EnvoyContext = { config, notebook, pieces: findPieces(documents) };
  const { chains, routes, clusters, manifests } = context.pieces;
  for (const document of manifests) {
    if (isManifest(document)) continue;
    report(
      context,
      'envoy_unreadable',
      document,
      'it is no configuration of Envoy or of Istio that is known here',
      'give a bootstrap, resources of LDS, RDS and CDS, a /config_dump, or manifests',
    );
  }
  const deciding = chains.map((chain) => checkChain(context, chain));
  for (const route of routes) checkRoutes(context, { routes: route });
  const istio = checkIstio(context);
  if (chains.length > 0 && !istio) tellUndecided(context, deciding);
  checkClusters(
    context,
    chains.flatMap(({ chain }) => namesOf(chain)),
  );
  notebook.saw(
    `Envoy: ${[
      `${chains.length} filter chains, ${deciding.filter(({ asks }) => asks).length} with ext_authz`,
      `${clusters.length} clusters`,
      `${manifests.length} manifests`,
    ].join(', ')}`,
  );
}

async function read(file: string, notebook: Notebook): Promise<readonly EnvoyNode[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => error);
  if (typeof text !== 'string') {
    notebook.add('envoy_unreadable', { file }, `the file cannot be read (${text.code})`, 'check the path');
    return [];
  }
  const documents = EnvoyNode.read(file, text);
  if (!('wrong' in documents)) return documents;
  const { wrong, line } = documents;
  notebook.add(
    'envoy_unreadable',
    { file, ...(line !== undefined && { line }) },
    `the file is neither YAML nor JSON: ${wrong}`,
    'mend it',
  );
  return [];
}

/** What one chain does with connections: undecided ones are told of once all are known. */
interface Deciding {
  readonly at: EnvoyNode;
  readonly asks: boolean;
  /** Whether it takes requests of others, rather than sending those of this workload. */
  readonly inbound: boolean;
}

function checkChain(context: EnvoyContext, chain: Chain): Deciding {
  const filters = chain.chain.get('filters').items();
  const ofType = (type: string) => filters.filter((filter) => filter.get('typed_config').type === type);
  const tcp = ofType(TCP_EXT_AUTHZ);
  for (const filter of tcp) checkTcpExtAuthz(context, filter.get('typed_config').message);
  let asks = tcp.length > 0;
  for (const filter of ofType(MANAGER)) {
    const manager = filter.get('typed_config').message;
    const names = checkFilters(context, manager);
    if (names.length === 0) continue;
    asks = true;
    checkManager(context, manager);
    const routes = manager.get('route_config');
    if (routes.exists) checkRoutes(context, { routes, manager, filters: names });
  }
  if (asks) checkTls(context, chain);
  const takes = ofType(MANAGER).length + ofType(TCP_PROXY).length > 0;
  const direction = chain.listener.get('traffic_direction').oneOf(['UNSPECIFIED', 'INBOUND', 'OUTBOUND']);
  return { at: chain.chain, asks, inbound: takes && direction !== 'OUTBOUND' };
}

function tellUndecided(context: EnvoyContext, chains: readonly Deciding[]): void {
  const undecided = chains.filter(({ asks, inbound }) => !asks && inbound);
  const mend =
    'put envoy.filters.http.ext_authz before the router (or envoy.filters.network.ext_authz before the TCP proxy)';
  if (!chains.some(({ asks }) => asks)) {
    const [first] = chains;
    report(context, 'envoy_ext_authz_missing', first!.at, 'no listener has the ext_authz filter', mend);
    return;
  }
  for (const { at } of undecided)
    report(context, 'envoy_ext_authz_absent_here', at, 'this filter chain has no ext_authz filter', mend);
}

/** The fields that name clusters of ext_authz filters. */
function namesOf(chain: EnvoyNode): readonly EnvoyNode[] {
  const filters = chain.get('filters').items();
  const http = filters.flatMap((filter) => filter.get('typed_config').message.get('http_filters').items());
  return [...filters, ...http]
    .map((filter) => filter.get('typed_config'))
    .filter(({ type }) => type === HTTP_EXT_AUTHZ || type === TCP_EXT_AUTHZ)
    .map(({ message }) => message.get('grpc_service', 'envoy_grpc', 'cluster_name'))
    .filter(({ exists }) => exists);
}
