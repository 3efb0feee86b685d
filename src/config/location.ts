import { isIPv4 } from 'node:net';
import type { Fault } from './problem.js';

/** The value of `jwks` that means: ask the issuer's metadata (RFC 8414, OpenID Connect Discovery). */
export const DISCOVERY = 'discovery';

const HAS_SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;

/** Whether a `jwks` value is a file's path, rather than a URL or `discovery`. */
export function isFilePath(location: string): boolean {
  return location !== DISCOVERY && !HAS_SCHEME.test(location);
}

/** A check for a path in the file system. */
export function pathFault(path: string): Fault | undefined {
  if (path === '') return { wrong: 'is empty', mend: 'write a path, relative to the folder of this file' };
  if (HAS_SCHEME.test(path)) return { wrong: 'is a URL', mend: 'write the path of a file' };
  if (path.includes('\n') || path.includes('\0')) {
    return { wrong: 'is not a path', mend: 'write the path of a file, not what is in it' };
  }
  return undefined;
}

/** A check for where keys come from: a path, a URL that can be trusted, or `discovery`. */
export function jwksFault(location: string): Fault | undefined {
  if (location === DISCOVERY) return undefined;
  return isFilePath(location) ? pathFault(location) : urlFault(location);
}

/** A check for an endpoint that tokens and credentials are sent to. */
export function endpointFault(location: string): Fault | undefined {
  if (location === DISCOVERY) return undefined;
  const fault = urlFault(location);
  if (fault !== undefined) return fault;
  return location.includes('#') ? { wrong: 'has a fragment', mend: 'leave it out' } : undefined;
}

/** A check for an issuer whose metadata is to be fetched (RFC 8414 section 2: no query, no fragment). */
export function discoverableFault(issuer: string): Fault | undefined {
  const fault = urlFault(issuer);
  const wrong = fault?.wrong ?? (/[?#]/.test(issuer) ? 'has a query or a fragment' : undefined);
  if (wrong === undefined) return undefined;
  const mend = fault?.mend ?? 'leave them out';
  return { wrong: `cannot be discovered: it ${wrong}`, mend: `${mend}, or give jwks a file or a URL` };
}

function urlFault(text: string): Fault | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return { wrong: 'is not a URL', mend: 'write an https:// URL' };
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return { wrong: 'is not an https URL', mend: 'write an https:// URL' };
  }
  if (url.username !== '' || url.password !== '') {
    return { wrong: 'is a URL with a user name or a password', mend: 'leave them out: keys are public' };
  }
  // Whoever can change the answer on its way can mint tokens.
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return {
      wrong: 'is a plain http URL to another host',
      mend: 'use https (http is for loopback addresses only)',
    };
  }
  return undefined;
}

/** A check for where bundles are fetched. Plain http is judged with the bundles that come that way. */
export function bundleUrlFault(text: string): Fault | undefined {
  const fault = urlFault(text.replace(/^http:/i, 'https:'));
  if (fault !== undefined) return fault;
  if (/[?#]/.test(text)) return { wrong: 'has a query or a fragment', mend: 'leave them out' };
  return undefined;
}

/** A check for a bundle endpoint (SPIFFE Federation, section 5.2): https, also on this very machine. */
export function endpointUrlFault(text: string): Fault | undefined {
  const fault = urlFault(text);
  if (fault !== undefined) return fault;
  if (!/^https:/i.test(text)) return { wrong: 'is not an https URL', mend: 'write an https:// URL' };
  return text.includes('#') ? { wrong: 'has a fragment', mend: 'leave it out' } : undefined;
}

/** Whether what comes from this URL can be changed on its way. */
export function isPlainHttp(text: string): boolean {
  try {
    const { protocol, hostname } = new URL(text);
    return protocol === 'http:' && !isLoopback(hostname);
  } catch {
    return false;
  }
}

/** `hostname` as the WHATWG URL parser gives it: IPv4 in dotted form, IPv6 in brackets and shortened. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' || hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'))
  );
}
