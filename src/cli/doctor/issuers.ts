import { readFile } from 'node:fs/promises';
import type { IssuerConfig } from '../../config/schema.js';
import { parseKeySet } from '../../jws/key-set.js';
import { fetchKeys } from '../../token/fetch-keys.js';
import { fetchMetadata, placeOf } from '../../token/metadata.js';
import { fetchWithRoots } from '../fetch-with-roots.js';
import { checkClock } from './clock.js';
import type { Examination } from './examine.js';
import type { Place } from './finding.js';
import { reach, secondsAhead } from './reach.js';

/** Who signs tokens, and who is asked about them. */
export async function checkIssuers(examination: Examination): Promise<void> {
  const { token } = examination.config;
  for (const [i, issuer] of token.issuers.entries()) {
    const place = placesOf(examination, issuer.issuer, 'token', 'issuers', i);
    if (issuer.jwks !== undefined) {
      await checkKeys(examination, place('jwks'), { ...issuer, location: issuer.jwks });
    }
    if (issuer.introspection !== undefined)
      await checkIntrospection(examination, place('introspection'), issuer);
  }
  for (const [i, service] of (token.transaction?.issuers ?? []).entries()) {
    const place = placesOf(examination, service.issuer, 'token', 'transaction', 'issuers', i);
    await checkKeys(examination, place('jwks'), { ...service, location: service.jwks });
  }
}

function placesOf({ locate }: Examination, issuer: string, ...path: PropertyKey[]): (key: string) => Place {
  return (key) => ({ ...locate(...path, key), endpoint: issuer });
}

interface Keys {
  readonly issuer: string;
  readonly location: string;
  readonly algorithms: readonly string[];
  /** Milliseconds. */
  readonly clock_skew: number;
}

async function checkKeys(
  { notebook, offline, now }: Examination,
  place: Place,
  { issuer, location, algorithms, clock_skew: leeway }: Keys,
): Promise<void> {
  const remote = location === 'discovery' || /^https?:/.test(location);
  if (remote && offline) return;
  let ahead: number | undefined;
  const timed: typeof fetch = async (...asked) => {
    const answer = await fetch(...asked);
    ahead = secondsAhead(answer.headers.get('date') ?? undefined, now());
    return answer;
  };
  try {
    const ports = { fetch: timed, readFile: (path: string) => readFile(path, 'utf8') };
    const keys = await parseKeySet(await fetchKeys(issuer, location, ports)).catch((error: Error) => {
      throw new Error(`its keys cannot be used: ${error.message}`, { cause: error });
    });
    const usable = algorithms.filter((algorithm) =>
      keys.keys.some(({ keyId }) => keys.candidates(algorithm, keyId).length > 0),
    );
    notebook.saw(
      `keys of ${issuer}: ${keys.keys.length}, for ${usable.join(', ') || 'none of its algorithms'}`,
    );
    if (usable.length === 0) {
      notebook.add(
        'issuer_keys_unusable',
        place,
        `none of its ${keys.keys.length} usable keys is for ${algorithms.join(', ')}`,
        "write the algorithms that the issuer signs with, or mend the issuer's keys (RSA of 2048 bits or more)",
      );
    }
  } catch (error) {
    notebook.add(
      'issuer_keys_unavailable',
      place,
      (error as Error).message,
      'check the issuer as its own metadata write it, to the last slash, and what jwks says',
    );
  }
  checkClock(notebook, place, ahead, leeway / 1000);
}

async function checkIntrospection(
  { notebook, offline }: Examination,
  place: Place,
  issuer: IssuerConfig,
): Promise<void> {
  if (offline) return;
  const { endpoint, ca } = issuer.introspection!;
  try {
    const url =
      endpoint === 'discovery'
        ? placeOf(await fetchMetadata(issuer.issuer, { fetch: fetchWithRoots(ca) }), 'introspection_endpoint')
        : endpoint;
    // Without credentials and without a token: that it answers at all is what is asked here.
    const { ahead } = await reach(url, ca);
    notebook.saw(`introspection of ${issuer.issuer}: answers`);
    checkClock(notebook, place, ahead, issuer.clock_skew / 1000);
  } catch (error) {
    notebook.add(
      'issuer_introspection_unreachable',
      place,
      (error as Error).message,
      'check introspection.endpoint, its roots (ca) and the network between',
    );
  }
}
