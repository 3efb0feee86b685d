import { isIPv6 } from 'node:net';
import { BuiltinError } from './builtin.js';

/**
 * URLs as Go's net/url (1.26) splits them, which is neither RFC 3986 nor WHATWG to the letter. Strings here are
 * bytes, one to a character, as Go's are.
 */
export interface GoUrl {
  readonly scheme: string;
  /** What follows the scheme where that is no path: of `mailto:a@b`, `a@b`. */
  readonly opaque: string;
  /** Percent-decoded user and, where there is a colon, password. */
  readonly user: readonly string[] | undefined;
  /** With the port, and with the brackets of an IPv6 address. */
  readonly host: string;
  /** Percent-decoded. */
  readonly path: string;
  /** As it was written, or empty where `path` escaped gives just that. */
  readonly rawPath: string;
  readonly rawQuery: string;
  /** Whether the URL ends in a `?` with nothing behind it. */
  readonly forceQuery: boolean;
  /** Whether there is a scheme and a path, and no host, not even an empty one. */
  readonly omitHost: boolean;
  /** Percent-decoded. */
  readonly fragment: string;
  /** As it was written, or empty where `fragment` escaped gives just that. */
  readonly rawFragment: string;
}

/**
 * @param text bytes, one to a character
 * @throws BuiltinError for what Go refuses; the message never quotes the text
 */
export function parseUrl(text: string): GoUrl {
  const [before, fragment] = cut(text, '#');
  // eslint-disable-next-line no-control-regex -- exactly these are refused
  if (/[\x00-\x1f\x7f]/.test(before)) fail('invalid control character in URL');
  const parsed = before === '*' ? { ...EMPTY, path: '*' } : parse(before);
  const decoded = unescape(fragment, 'fragment');
  return { ...parsed, fragment: decoded, rawFragment: escapeFragment(decoded) === fragment ? '' : fragment };
}

const EMPTY = {
  scheme: '',
  opaque: '',
  user: undefined,
  host: '',
  path: '',
  rawPath: '',
  rawQuery: '',
  forceQuery: false,
  omitHost: false,
};

function parse(text: string): Omit<GoUrl, 'fragment' | 'rawFragment'> {
  const [scheme, afterScheme] = cutScheme(text);
  const [rest, rawQuery] = cut(afterScheme, '?');
  const forceQuery = afterScheme.indexOf('?') === afterScheme.length - 1 && afterScheme !== '';
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { ...EMPTY, scheme, opaque: rest, rawQuery, forceQuery };
    if (cut(rest, '/')[0].includes(':')) fail('first path segment in URL cannot contain colon');
  }
  let [host, path] = ['', rest];
  let user: readonly string[] | undefined;
  if (rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'))) {
    const slash = rest.indexOf('/', 2);
    path = slash < 0 ? '' : rest.slice(slash);
    [user, host] = authority(scheme, rest.slice(2, slash < 0 ? undefined : slash));
  }
  const omitHost = scheme !== '' && rest.startsWith('/') && !rest.startsWith('//');
  const decoded = unescape(path, 'path');
  const rawPath = escapePath(decoded) === path ? '' : path;
  return { ...EMPTY, scheme, user, host, path: decoded, rawPath, rawQuery, forceQuery, omitHost };
}

function fail(what: string): never {
  throw new BuiltinError(`invalid URL: ${what}`);
}

function cut(text: string, separator: string): [before: string, after: string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}

function cutScheme(text: string): [scheme: string, rest: string] {
  if (text.startsWith(':')) fail('missing protocol scheme');
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)?.[1];
  return scheme === undefined ? ['', text] : [scheme.toLowerCase(), text.slice(scheme.length + 1)];
}

/** The user information, and the host with its port. */
function authority(scheme: string, text: string): [user: readonly string[] | undefined, host: string] {
  const at = text.lastIndexOf('@');
  const host = parseHost(scheme, text.slice(at + 1));
  if (at < 0) return [undefined, host];
  const user = text.slice(0, at);
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user)) fail('invalid userinfo');
  const parts = user.includes(':') ? cut(user, ':') : [user];
  return [parts.map((part) => unescape(part, 'user')), host];
}

const PORT = /^(?::[0-9]*)?$/;

function parseHost(scheme: string, host: string): string {
  const open = host.lastIndexOf('[');
  if (open > 0) fail('invalid IP-literal');
  if (open === 0) return parseLiteral(host);
  const colon = host.indexOf(':');
  if (colon >= 0) {
    // Lists of hosts, as databases have them, are let through unless the scheme is the web's.
    const from = scheme === 'http' || scheme === 'https' ? colon : host.lastIndexOf(':');
    if (!PORT.test(host.slice(from))) fail('invalid port after host');
  }
  return unescape(host, 'host');
}

/** `[::1]:80`; RFC 6874 zones too: `[fe80::1%25en0]`. */
function parseLiteral(host: string): string {
  const close = host.lastIndexOf(']');
  if (close < 0) fail("missing ']' in host");
  const port = host.slice(close + 1);
  if (!PORT.test(port)) fail('invalid port after host');
  const inside = host.slice(1, close);
  const zone = inside.indexOf('%25');
  const address = unescape(zone < 0 ? inside : inside.slice(0, zone), 'host');
  const name = zone < 0 ? '' : unescape(inside.slice(zone), 'zone');
  const literal = address + name;
  if (!isAddress(literal)) fail('invalid host');
  return `[${literal}]${port}`;
}

/** As Go's netip.ParseAddr: any zone that isn't empty. */
function isAddress(text: string): boolean {
  const [address, zone] = cut(text, '%');
  return isIPv6(address) && text !== `${address}%` && (zone !== '' || !text.includes('%'));
}

type Part = 'path' | 'fragment' | 'host' | 'zone' | 'user';

/** What may stand unescaped in a host (RFC 3986 section 3.2.2), and `<>"` besides, which Go tolerates. */
const HOST = /^[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"\x80-\xff]*$/;

function unescape(text: string, part: Part): string {
  const strict = part === 'host' || part === 'zone';
  const plain = text.replace(/%([0-9A-Fa-f]{2})/g, (escape, hex: string) => {
    const byte = Number.parseInt(hex, 16);
    // RFC 6874: a zone may escape anything that it could hold, and `%`.
    const fine = part === 'host' ? byte >= 0x80 : byte === 0x20 || HOST.test(String.fromCharCode(byte));
    if (strict && escape !== '%25' && !fine) fail('invalid escape in the host');
    return '';
  });
  if (plain.includes('%')) fail('invalid URL escape');
  if (strict && !HOST.test(plain)) fail('invalid character in host name');
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** As Go escapes a path by default. */
function escapePath(path: string): string {
  return escape(path, /[^A-Za-z0-9\-_.~$&+,/:;=@]/g);
}

function escapeFragment(fragment: string): string {
  return escape(fragment, /[^A-Za-z0-9\-_.~$&+,/:;=?@!()*]/g);
}

function escape(text: string, pattern: RegExp): string {
  return text.replace(
    pattern,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** The path as it was written where that is well-formed, else escaped anew. */
export function escapedPath({ path, rawPath }: GoUrl): string {
  if (rawPath !== '' && /^[A-Za-z0-9\-_.~$&+,/:;=@!'()*[\]%]*$/.test(rawPath)) return rawPath;
  return path === '*' ? path : escapePath(path);
}

/** The URL put together again, as Go's String does. */
export function formatUrl(url: GoUrl): string {
  let text = url.scheme === '' ? '' : `${url.scheme}:`;
  if (url.opaque !== '') text += url.opaque;
  else {
    const hasHost = url.host !== '' || url.user !== undefined;
    if ((url.scheme !== '' || hasHost) && !(url.omitHost && !hasHost)) {
      if (hasHost || url.path !== '') text += '//';
      if (url.user !== undefined) text += `${url.user.map(escapeUser).join(':')}@`;
      text += escape(url.host, /[^A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]/g);
    }
    const path = escapedPath(url);
    if (path !== '' && !path.startsWith('/') && url.host !== '') text += '/';
    if (text === '' && cut(path, '/')[0].includes(':')) text += './';
    text += path;
  }
  if (url.forceQuery || url.rawQuery !== '') text += `?${url.rawQuery}`;
  if (url.fragment !== '') text += `#${escapedFragment(url)}`;
  return text;
}

function escapeUser(text: string): string {
  return escape(text, /[^A-Za-z0-9\-_.~$&+,;=]/g);
}

function escapedFragment({ fragment, rawFragment }: GoUrl): string {
  if (rawFragment !== '' && /^[A-Za-z0-9\-_.~$&+,/:;=?@!'()*[\]%]*$/.test(rawFragment)) return rawFragment;
  return escapeFragment(fragment);
}
