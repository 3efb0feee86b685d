import { isRefusal } from '../errors/refusal.js';
import { createInFlight } from '../feed/in-flight.js';
import { readJws } from '../jws/compact.js';
import type { WorkloadApi } from './workload-api.js';

export interface JwtSvidsOptions {
  readonly api: () => WorkloadApi;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * A JWT-SVID of this very process for an audience, out of the Workload API: the first one, as it is the default.
 *
 * @throws Error without anything of the token
 */
export type FetchJwtSvid = (audience: string) => Promise<string>;

/** Milliseconds that an agent may take for one. */
const PATIENCE = 5_000;

interface Held {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly renewAt: number;
  readonly expiresAt: number;
}

/**
 * Holds the newest for each audience. From half of its life on a new one is asked for, once for all that want it; the old
 * one serves while the agent does not answer, until it expires.
 */
export function createJwtSvids({ api, now }: JwtSvidsOptions): FetchJwtSvid {
  const held = new Map<string, Held>();
  const once = createInFlight<string>();

  async function obtain(audience: string): Promise<string> {
    const known = held.get(audience);
    try {
      const fresh = read(await api().jwtSvids(audience, now() + PATIENCE), audience, now());
      held.set(audience, fresh);
      return fresh.token;
    } catch (error) {
      if (known !== undefined && now() < known.expiresAt) return known.token;
      throw error;
    }
  }

  return (audience) => {
    const known = held.get(audience);
    if (known !== undefined && now() < known.renewAt) return Promise.resolve(known.token);
    return once(audience, () => obtain(audience));
  };
}

/** The agent is trusted with who we are, but what is not for this audience would be refused where it is shown. */
function read({ svids }: Awaited<ReturnType<WorkloadApi['jwtSvids']>>, audience: string, now: number): Held {
  const [first] = svids;
  if (first === undefined) throw new Error('FetchJWTSVID: an answer without any SVID');
  const jws = readJws(first.svid);
  if (isRefusal(jws)) throw new Error(`FetchJWTSVID: the SVID cannot be used: ${jws.detail}`);
  const { aud, exp, sub } = jws.payload;
  if (sub !== first.spiffeId) throw new Error('FetchJWTSVID: the SVID has another SPIFFE ID');
  if (![aud].flat().includes(audience)) throw new Error('FetchJWTSVID: the SVID is for another audience');
  if (typeof exp !== 'number' || !(exp * 1000 > now)) throw new Error('FetchJWTSVID: the SVID has expired');
  return { token: first.svid, renewAt: now + (exp * 1000 - now) / 2, expiresAt: exp * 1000 };
}
