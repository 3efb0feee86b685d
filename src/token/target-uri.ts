/** Where a request went, as Envoy tells it. */
export interface RequestTarget {
  readonly method: string;
  /** `http` or `https` */
  readonly scheme: string;
  /** `:authority`, with its port where it has one. */
  readonly host: string;
  /** As the client sent it, without the query. */
  readonly rawPath: string;
}

/**
 * What clients call the places that Envoy knows by `host`: a base URL without a trailing slash. Where the map
 * is not empty, no other host is a place of ours.
 */
export type Origins = ReadonlyMap<string, string>;

/**
 * Whether a DPoP proof's `htu` (RFC 9449 section 4.2) names the target of this request: compared without query and
 * fragment, after the syntax- and scheme-based normalisation that its section 4.3 asks for (RFC 3986 sections 6.2.2
 * and 6.2.3). The host is what the client says it is; `origins` is for those whose Envoy answers to any.
 */
export function isTarget(htu: string, target: RequestTarget, origins: Origins): boolean {
  const base = baseOf(target, origins);
  if (base === undefined) return false;
  const uri = `${base}${target.rawPath}`;
  if (htu === uri) return true;
  const expected = normalise(uri);
  return expected !== undefined && normalise(htu) === expected;
}

function baseOf({ scheme, host }: RequestTarget, origins: Origins): string | undefined {
  return origins.size === 0 ? `${scheme}://${host}` : origins.get(host.toLowerCase());
}

/** RFC 3986 appendix B for `http` and `https`, without user information; visible ASCII alone. */
const PARTS =
  /^(https?):\/\/(\[[0-9a-f:.]+\]|[a-z0-9\-._~!$&'()*+,;=%]+)(?::([0-9]*))?(\/[!-"$->@-[\]-~]*)?(?:[?#].*)?$/is;

/** Undefined where it is no URI of these schemes. */
function normalise(uri: string): string | undefined {
  const match = PARTS.exec(uri);
  if (match === null) return undefined;
  const scheme = match[1]!.toLowerCase();
  const host = match[2]!.toLowerCase();
  const port = match[3] ?? '';
  const isDefault = port === '' || Number(port) === (scheme === 'https' ? 443 : 80);
  const path = withoutDots(unescaped(match[4] ?? '/'));
  return `${scheme}://${host}${isDefault ? '' : `:${Number(port)}`}${path}`;
}

/** RFC 3986 section 6.2.2.2: escapes of unreserved characters mean these; others have upper-case digits. */
function unescaped(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(char) ? char : escape.toUpperCase();
  });
}

/** RFC 3986 section 5.2.4. */
function withoutDots(path: string): string {
  if (!path.includes('/.')) return path;
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    if (last && (segment === '.' || segment === '..')) kept.push('');
  }
  return `/${kept.join('/')}`;
}
