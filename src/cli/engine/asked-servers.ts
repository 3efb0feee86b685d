import type { EnginePart } from './part.js';

/** What a server is asked for when a request needs it. */
export type AskedFor = 'introspection' | 'tokens';

export interface AskedServer {
  readonly askedFor: AskedFor;
  /** The issuer, or the name in `broker.servers`. */
  readonly server: string;
  /** Why the last question had no answer; undefined where it had one, or none was asked. */
  readonly error: string | undefined;
}

/** The servers that are asked when a request needs them, and how the last question to each ended. */
export interface AskedServers extends EnginePart {
  /** One more. What it returns is to be told how each question ended: why without an answer, or undefined. */
  add(askedFor: AskedFor, server: string): (error: string | undefined) => void;
  status(): readonly AskedServer[];
}

export function startAskedServers(): AskedServers {
  const servers: { -readonly [key in keyof AskedServer]: AskedServer[key] }[] = [];
  return {
    add(askedFor, server) {
      const one: (typeof servers)[number] = { askedFor, server, error: undefined };
      servers.push(one);
      return (error) => (one.error = error);
    },
    status: () => servers,
    // The server is ready all the same: only what needs an answer is denied.
    checks: () => ({}),
    standings: () =>
      servers.map(({ askedFor, server, error }) => [`${askedFor} of ${server}`, error, 'asked'] as const),
    stop() {},
  };
}
