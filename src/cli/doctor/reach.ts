import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { readNamed } from '../read-named.js';

/** Milliseconds for one answer. */
export const PATIENCE = 5_000;

export interface Reached {
  readonly status: number;
  /** Seconds by which the other clock is ahead; negative where it is behind. Absent without a `Date`. */
  readonly ahead?: number;
}

/**
 * One GET without any credentials, whose answer's status does not matter: somebody answers in HTTP, and TLS trusts
 * them. The body is not read, and a redirect is not followed.
 *
 * @param ca a file of roots, PEM, in place of the system's
 * @throws Error that says why there is no answer
 */
export async function reach(url: string, ca?: string): Promise<Reached> {
  const { origin, pathname, protocol } = new URL(url);
  const place = `${origin}${pathname}`;
  const roots = ca === undefined ? undefined : await readNamed(ca);
  const signal = AbortSignal.timeout(PATIENCE);
  return new Promise((resolve, reject) => {
    const options = { agent: false, signal, ...(roots !== undefined && { ca: roots }) };
    const asked = (protocol === 'https:' ? requestHttps : requestHttp)(url, options, (answer) => {
      const ahead = secondsAhead(answer.headers.date, Date.now());
      answer.destroy();
      resolve({ status: answer.statusCode ?? 0, ...(ahead !== undefined && { ahead }) });
    });
    asked.on('error', (error: NodeJS.ErrnoException) => {
      const what = signal.aborted
        ? 'gave no answer in time'
        : `cannot be reached (${error.code ?? error.message})`;
      reject(new Error(`${place} ${what}`, { cause: error }));
    });
    asked.end();
  });
}

/**
 * What a `Date` header (RFC 9110 section 6.6.1) says of the clock that wrote it: seconds that it is ahead, half of its
 * own resolution taken into account.
 */
export function secondsAhead(date: string | undefined, now: number): number | undefined {
  const said = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(said) ? undefined : (said + 500 - now) / 1000;
}
