/** What a Kubernetes-style path tells of a workload. */
export interface KubernetesNames {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Reads a SPIFFE ID's path; undefined where it has another form. */
export type PathTemplate = (path: string) => KubernetesNames | undefined;

/** How Istio, and SPIRE's Kubernetes workload registrar, write it. */
export const DEFAULT_PATH_TEMPLATE = '/ns/{namespace}/sa/{service_account}';

/**
 * Compiles a template such as {@link DEFAULT_PATH_TEMPLATE}. It is compared segment by segment, and the whole path
 * has to match: `{namespace}` and `{service_account}`, each once, take the segment that they stand for, and `*` takes
 * any one.
 *
 * @throws Error for anything else; configuration is checked before it comes here
 */
export function compilePathTemplate(template: string): PathTemplate {
  const segments = template.split('/');
  const namespaceAt = segments.indexOf('{namespace}');
  const accountAt = segments.indexOf('{service_account}');
  if (segments[0] !== '' || namespaceAt < 0 || accountAt < 0) throw new Error('not a path template');
  return (path) => {
    const found = path.split('/');
    if (found.length !== segments.length) return undefined;
    const matches = segments.every(
      (segment, i) => i === namespaceAt || i === accountAt || segment === '*' || segment === found[i],
    );
    return matches ? { namespace: found[namespaceAt]!, serviceAccount: found[accountAt]! } : undefined;
  };
}
