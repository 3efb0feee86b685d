import { isIPv4, isIPv6 } from 'node:net';
import type { Fault } from './problem.js';

/** Where a server listens: a TCP address (IPv6 hosts without their brackets), or a Unix socket. */
export type ListenAddress =
  { readonly host: string; readonly port: number } | { readonly socketPath: string };

const UNIX = 'unix://';
/** `sun_path` of Linux has 108 bytes, the closing NUL included; a longer path fails to bind. */
const SOCKET_PATH_BYTES = 107;
const HOST_NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/;

/** Reads `host:port`, `[ipv6]:port` (port 0 means: any that is free) or `unix:///absolute/path`. */
export function parseListenAddress(text: string): ListenAddress | Fault {
  return text.startsWith('unix:') ? parseSocket(text) : parseTcp(text);
}

export function isFault(outcome: ListenAddress | Fault): outcome is Fault {
  return 'wrong' in outcome;
}

function parseSocket(text: string): ListenAddress | Fault {
  const socketPath = text.slice(UNIX.length);
  if (!text.startsWith(UNIX) || !socketPath.startsWith('/') || socketPath.endsWith('/')) {
    return {
      wrong: 'is not the address of a Unix socket',
      mend: 'write unix:// and an absolute path: unix:///run/countersign.sock',
    };
  }
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_BYTES) {
    return {
      wrong: `has a path of more than ${SOCKET_PATH_BYTES} bytes`,
      mend: 'move the socket to a shorter path',
    };
  }
  return { socketPath };
}

function parseTcp(text: string): ListenAddress | Fault {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):([0-9]{1,5})$/.exec(text);
  if (match === null) {
    const mend =
      isIPv6(text.replace(/:[0-9]+$/, '')) || isIPv6(text)
        ? 'put an IPv6 address in brackets: "[::1]:9191"'
        : 'write host:port, as in 127.0.0.1:9191';
    return { wrong: 'is not an address to listen on', mend };
  }
  const [, ipv6, name] = match;
  const port = Number(match[3]);
  if (port > 65535) return { wrong: 'has a port above 65535', mend: 'choose a port from 0 to 65535' };
  if (ipv6 !== undefined) {
    if (isIPv6(ipv6)) return { host: ipv6, port };
    return {
      wrong: 'has no IPv6 address in its brackets',
      mend: 'write [::1]:9191, or a name without brackets',
    };
  }
  // Dots and digits alone are meant as IPv4: `127.0.0.256` would otherwise be looked up as a name.
  if (/^[0-9.]+$/.test(name!) ? isIPv4(name!) : HOST_NAME.test(name!)) return { host: name!, port };
  return { wrong: 'has no valid host', mend: 'write an IP address or a host name before the port' };
}
