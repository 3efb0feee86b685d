import { refuse, type Refusal } from '../errors/refusal.js';

/** A request target, taken apart. */
export interface RequestPath {
  /** What policies match on; see {@link readPath}. */
  readonly path: string;
  /** As the client sent it, without the query. */
  readonly rawPath: string;
  /** Without its question mark. */
  readonly query: string;
}

/** UTF-16 code units of path and query. Envoy's own default limit is 60 KiB for all headers together. */
const LONGEST = 256 * 1024;

/** Characters that RFC 3986 section 2.3 calls unreserved: an escape of one means the character itself. */
const UNRESERVED = /[A-Za-z0-9\-._~]/;

/**
 * The canonical form of `:path` (RFC 3986 section 6.2.2): one spelling for all that any server reads as the
 * same path, so that a policy which matches it decides on what the upstream will serve.
 *
 * - the query is cut off at the first `?`, a fragment at the first `#`; absolute-form (RFC 9112 section 3.2.2) is
 *   reduced to its path
 * - escapes of unreserved characters are decoded, other escapes upper-cased, bytes outside ASCII escaped
 * - runs of slashes become one; `.` and `..` are resolved; a trailing slash stays
 *
 * Refused is a target beyond 256 Ki characters, and what servers read in different ways: an escaped or plain backslash, an escaped slash, a control
 * character, a broken escape, escapes that are not UTF-8, two slashes at the beginning (an authority to whoever
 * reads a URI reference), a `..` above the root or behind repeated slashes (merged before it is resolved, or
 * after), path parameters (`/admin;x`, which servlet containers take off), and an empty or dot segment before an
 * escaped semicolon. `*` and the empty path of CONNECT stay as they are.
 */
export function readPath(target: string): RequestPath | Refusal<'path_refused'> {
  if (target.length > LONGEST) return refuse('path_refused', `longer than ${LONGEST} characters`);
  const { rawPath, query } = split(target);
  if (rawPath === '' || rawPath === '*' || CANONICAL.test(rawPath)) return { path: rawPath, rawPath, query };
  const reduced = rawPath.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/\\]*/i, '');
  const absolute = reduced === '' && reduced !== rawPath ? '/' : reduced;
  if (!absolute.startsWith('/')) return refuse('path_refused', 'the path does not begin with a slash');
  if (absolute.startsWith('//')) return refuse('path_refused', 'two slashes at the beginning');
  const spelled = spell(absolute);
  if (typeof spelled !== 'string') return spelled;
  const path = resolve(spelled);
  return typeof path === 'string' ? { path, rawPath, query } : path;
}

function split(target: string): { rawPath: string; query: string } {
  const fragment = target.indexOf('#');
  const whole = fragment === -1 ? target : target.slice(0, fragment);
  const mark = whole.indexOf('?');
  return mark === -1
    ? { rawPath: whole, query: '' }
    : { rawPath: whole.slice(0, mark), query: whole.slice(mark + 1) };
}

/** Paths that are canonical already, which is nearly all of them: no segment is empty, has a dot, or has an escape. */
const CANONICAL = /^(?:\/[A-Za-z0-9\-_~!$&'()*+,=:@]+)+\/?$/;

/** One spelling for every character, or a refusal. */
function spell(path: string): string | Refusal<'path_refused'> {
  let out = '';
  for (let at = 0; at < path.length; at++) {
    const char = path[at]!;
    if (char === '\\') return refuse('path_refused', 'a backslash');
    if (char === '%') {
      const hex = path.slice(at + 1, at + 3);
      if (!/^[0-9a-fA-F]{2}$/.test(hex)) return refuse('path_refused', 'a broken percent escape');
      const code = Number.parseInt(hex, 16);
      if (code === 0x2f) return refuse('path_refused', 'an escaped slash');
      if (code === 0x5c) return refuse('path_refused', 'an escaped backslash');
      if (code < 0x20 || code === 0x7f) return refuse('path_refused', 'an escaped control character');
      const decoded = String.fromCharCode(code);
      out += UNRESERVED.test(decoded) ? decoded : `%${hex.toUpperCase()}`;
      at += 2;
    } else {
      const code = path.codePointAt(at)!;
      if (code < 0x20 || code === 0x7f) return refuse('path_refused', 'a control character');
      if (code < 0x7f) out += char === ' ' ? '%20' : char;
      else {
        for (const byte of Buffer.from(String.fromCodePoint(code), 'utf8'))
          out += `%${byte.toString(16).toUpperCase()}`;
        if (code > 0xffff) at++;
      }
    }
  }
  return isUtf8(out) ? out : refuse('path_refused', 'escapes that are not UTF-8');
}

/** Overlong forms (`%C0%AF`) are a slash to some servers, and other encodings are anybody's guess. */
function isUtf8(escaped: string): boolean {
  try {
    decodeURIComponent(escaped);
    return true;
  } catch {
    return false;
  }
}

/** Merges slashes and resolves dot segments (RFC 3986 section 5.2.4), refusing to climb above the root. */
function resolve(path: string): string | Refusal<'path_refused'> {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  let directory = false;
  let merged = false;
  for (const segment of segments) {
    if (segment.includes(';')) return refuse('path_refused', 'path parameters');
    const name = segment.split('%3B', 1)[0]!;
    directory = segment === '' || segment === '.' || segment === '..';
    if (directory) {
      if (segment === '..' && merged) return refuse('path_refused', 'a .. behind repeated slashes');
      if (segment === '..' && kept.pop() === undefined) return refuse('path_refused', 'a .. above the root');
      merged ||= segment === '';
    } else if (name === '' || name === '.' || name === '..') {
      return refuse('path_refused', 'an empty or dot segment before an escaped semicolon');
    } else kept.push(segment);
  }
  if (kept.length === 0) return '/';
  return `/${kept.join('/')}${directory ? '/' : ''}`;
}
