import type { EnvoyNode } from './document.js';

/** One filter chain that carries something, with the listener that it is of. */
export interface Chain {
  readonly listener: EnvoyNode;
  readonly chain: EnvoyNode;
}

/** What the files hold, of all that is looked at. */
export interface Pieces {
  readonly chains: readonly Chain[];
  /** Routes by themselves: an answer of RDS, or a dump. */
  readonly routes: readonly EnvoyNode[];
  readonly clusters: readonly EnvoyNode[];
  /** Whether clusters can come from elsewhere too. */
  readonly moreClusters: boolean;
  /** Documents of Kubernetes and of Istio's mesh configuration. */
  readonly manifests: readonly EnvoyNode[];
}

/**
 * Finds the pieces in a bootstrap, in a file of resources (LDS, CDS, RDS: `resources` with `@type`), and in what Envoy's
 * admin interface gives at /config_dump.
 */
export function findPieces(documents: readonly EnvoyNode[]): Pieces {
  const listeners: EnvoyNode[] = [];
  const routes: EnvoyNode[] = [];
  const clusters: EnvoyNode[] = [];
  const manifests: EnvoyNode[] = [];
  let moreClusters = false;

  function resource(node: EnvoyNode): void {
    const { message } = node;
    if (node.type.endsWith('.Listener')) listeners.push(message);
    else if (node.type.endsWith('.Cluster')) clusters.push(message);
    else if (node.type.endsWith('.RouteConfiguration')) routes.push(message);
  }

  function bootstrap(node: EnvoyNode): void {
    listeners.push(...node.get('static_resources', 'listeners').items());
    clusters.push(...node.get('static_resources', 'clusters').items());
    moreClusters ||= ['cds_config', 'ads_config'].some((name) => node.get('dynamic_resources', name).exists);
  }

  function dump(part: EnvoyNode): void {
    // The bootstrap stands in a dump as well, and what is static in it a second time.
    if (part.type.endsWith('.ListenersConfigDump')) {
      listeners.push(
        ...part
          .get('static_listeners')
          .items()
          .map((entry) => entry.get('listener')),
      );
      listeners.push(
        ...part
          .get('dynamic_listeners')
          .items()
          .map((entry) => entry.get('active_state', 'listener')),
      );
    } else if (part.type.endsWith('.ClustersConfigDump')) {
      for (const name of ['static_clusters', 'dynamic_active_clusters'])
        clusters.push(
          ...part
            .get(name)
            .items()
            .map((entry) => entry.get('cluster')),
        );
    } else if (part.type.endsWith('.RoutesConfigDump')) {
      for (const name of ['static_route_configs', 'dynamic_route_configs'])
        routes.push(
          ...part
            .get(name)
            .items()
            .map((entry) => entry.get('route_config')),
        );
    }
  }

  for (const document of documents) {
    if (document.get('configs').exists) document.get('configs').items().forEach(dump);
    else if (document.get('static_resources').exists || document.get('dynamic_resources').exists)
      bootstrap(document);
    else if (document.get('resources').exists) document.get('resources').items().forEach(resource);
    else if (document.type !== '') resource(document);
    else if (document.get('filter_chains').exists) listeners.push(document);
    else if (document.get('virtual_hosts').exists) routes.push(document);
    else if (document.get('load_assignment').exists) clusters.push(document);
    else manifests.push(document);
  }
  const chains = listeners
    .filter(({ exists }) => exists)
    .flatMap((listener) =>
      [...listener.get('filter_chains').items(), listener.get('default_filter_chain')]
        .filter(({ exists }) => exists)
        .map((chain) => ({ listener, chain })),
    );
  return { chains, routes: unlessInline(routes, chains), clusters, moreClusters, manifests };
}

/** A dump tells the routes that stand in a listener a second time, where the listener is there too. */
function unlessInline(routes: readonly EnvoyNode[], chains: readonly Chain[]): readonly EnvoyNode[] {
  const inline = new Set(
    chains.flatMap(({ chain }) =>
      chain
        .get('filters')
        .items()
        .map((filter) => filter.get('typed_config').message.get('route_config', 'name').text()),
    ),
  );
  inline.delete(undefined);
  return routes.filter((route) => route.exists && !inline.has(route.get('name').text()));
}
