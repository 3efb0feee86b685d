import { ExactNumber } from '../json/exact.js';

export interface MaskingOptions {
  /** Log bodies: `body` and `parsed_body` of the input. They may hold anything. Default false. */
  readonly includeBody?: boolean;
  /** JSON pointers (RFC 6901) to what is erased besides, each under /input or /result. */
  readonly erase?: readonly string[];
}

/** A copy of an event that may leave the process. */
export interface Masked {
  readonly event: { readonly [name: string]: unknown };
  /** Pointers to what was taken out, and to what was replaced: OPA's own fields. */
  readonly erased: readonly string[];
  readonly masked: readonly string[];
}

export type Mask = (event: { readonly [name: string]: unknown }) => Masked;

/** More nesting than any input has; beyond it something is wrong, and the event is withheld. */
const DEEPEST = 200;

const MASKED = '**REDACTED**';

/** Header names that say they hold a credential; the names of standard ones are among them. */
const SECRET_HEADER =
  /authorization|cookie|token|secret|password|api-?key|dpop|assertion|credential|^x-forwarded-client-cert$/i;

/** Query and form parameters of OAuth and of common use that hold a credential. */
const SECRET_PARAMETER =
  'access_token|refresh_token|id_token|token|code|client_secret|client_assertion|assertion|password|api_?key|secret|signature|sig';
const SECRET_IN_QUERY = new RegExp(`((?:^|[?&;#])(?:${SECRET_PARAMETER})=)[^&#;\\s]*`, 'gi');
const SECRET_NAME = new RegExp(`^(?:${SECRET_PARAMETER})$`, 'i');

/**
 * Makes the function that takes tokens, cookies, keys and bodies out of decision-log events. It leaves its
 * argument as it is.
 *
 * Erased are credentials by their place: headers that say so by name, Envoy's raw headers and bodies, peer
 * certificates (bulky, and told by their fingerprint). Masked, wherever they stand, are query parameters that
 * hold a credential, anything that looks like a JWT, and private keys in PEM.
 *
 * The function throws where it cannot finish its work; the event must then be withheld.
 */
export function createMask(options: MaskingOptions = {}): Mask {
  const extra = new Set(options.erase ?? []);
  const bodies = options.includeBody ? new Set<string>() : BODIES;
  return (event) => {
    const erased: string[] = [];
    const masked: string[] = [];

    function copy(value: unknown, pointer: string, depth: number): unknown {
      if (depth > DEEPEST) throw new RangeError('the event is nested too deeply to be masked');
      if (typeof value === 'string') {
        const clean = maskText(value);
        if (clean !== value) masked.push(pointer);
        return clean;
      }
      if (typeof value === 'bigint') return String(value);
      if (value instanceof ExactNumber) return value.text;
      if (typeof value !== 'object' || value === null) return value;
      if (Array.isArray(value))
        return value.map((item, index) => copy(item, `${pointer}/${index}`, depth + 1));
      return copyObject(value as { [name: string]: unknown }, pointer, depth);
    }

    function copyObject(value: { [name: string]: unknown }, pointer: string, depth: number): object {
      const out: { [name: string]: unknown } = {};
      for (const [name, member] of Object.entries(value)) {
        if (member === undefined) continue;
        const at = `${pointer}/${escapePointer(name)}`;
        if (
          extra.has(at) ||
          ALWAYS.has(at) ||
          bodies.has(at) ||
          (HEADERS.has(pointer) && SECRET_HEADER.test(name))
        ) {
          erased.push(at);
        } else if (pointer === '/input/parsed_query' && SECRET_NAME.test(name)) {
          masked.push(at);
          define(out, name, MASKED);
        } else {
          // A name can hold a token as well as a value can.
          define(out, maskText(name), copy(member, at, depth + 1));
        }
      }
      return out;
    }

    const copied = copyObject(event as { [name: string]: unknown }, '', 0) as { [name: string]: unknown };
    return { event: copied, erased: erased.map(maskText), masked: masked.map(maskText) };
  };
}

const HTTP = '/input/attributes/request/http';
const HEADERS = new Set([`${HTTP}/headers`, '/result/headers', '/result/response_headers_to_add']);
const ALWAYS = new Set([
  '/input/attributes/source/certificate',
  '/input/attributes/destination/certificate',
  // The same headers and body as text stand beside these.
  `${HTTP}/headerMap`,
  `${HTTP}/rawBody`,
]);
const BODIES = new Set([`${HTTP}/body`, '/input/parsed_body', '/result/body']);

/** RFC 6901 section 3; hardly any name needs it. */
function escapePointer(name: string): string {
  return /[~/]/.test(name) ? name.replaceAll('~', '~0').replaceAll('/', '~1') : name;
}

/** Plain assignment, but for the one name that it would take as something else. */
function define(target: { [name: string]: unknown }, name: string, value: unknown): void {
  if (name !== '__proto__') target[name] = value;
  else Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}

/** Takes credentials out of a text; in time linear in its length. */
export function maskText(text: string): string {
  if (text.includes('PRIVATE KEY-----')) return MASKED;
  const clean = text.includes('eyJ') ? text.replace(/[A-Za-z0-9_.\-+/=]+/g, maskRun) : text;
  return clean.includes('=') ? clean.replace(SECRET_IN_QUERY, `$1${MASKED}`) : clean;
}

/**
 * A JOSE header is a JSON object, so its base64url begins with `eyJ`; a dot follows, and at least one more
 * part. The whole run goes, whatever stands before and after.
 */
function maskRun(run: string): string {
  const header = run.indexOf('eyJ');
  return header !== -1 && run.indexOf('.', header) !== -1 ? MASKED : run;
}
