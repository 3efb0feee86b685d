import { isRefusal } from '../errors/refusal.js';
import type { Feed, Hub } from '../feed/feed.js';
import { createPolledFeed, type Fetched } from '../feed/polled-feed.js';
import { decodePem } from '../identity/pem.js';
import { keyFrom, receiveSvid, type ReceivedSvid } from './workload-svids.js';

export interface SvidFileOptions {
  /** Absolute: the leaf and its intermediates in PEM, the leaf first. */
  readonly certificate: string;
  /** Absolute: its private key in PEM. */
  readonly privateKey: string;
  readonly readFile: (path: string) => Promise<string>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly hub: Hub;
}

/** Milliseconds between two looks, as for the file of a trust bundle. */
const POLL = 5_000;

/**
 * An X.509-SVID that somebody else keeps up to date in two files. While only one of them is new, they do not belong
 * together, and the last pair that did stays.
 */
export function createSvidFile(options: SvidFileOptions): Feed<Fetched<readonly ReceivedSvid[]>> {
  return options.hub.feed('X.509-SVID from files', () =>
    createPolledFeed({
      refresh: POLL,
      cooldown: POLL,
      now: options.now,
      obtain: (previous) => readPair(options, previous),
    }),
  );
}

/** @throws Error for files that cannot be read, and for what is no X.509-SVID with its key */
async function readPair(
  { certificate, privateKey, readFile }: SvidFileOptions,
  previous: readonly ReceivedSvid[] | undefined,
): Promise<readonly ReceivedSvid[]> {
  const [chainPem, keyPem] = await Promise.all([read(readFile, certificate), read(readFile, privateKey)]);
  const chain = decodePem(chainPem);
  if (isRefusal(chain)) throw new Error(`${certificate}: ${chain.detail}`);
  const key = keyFrom(keyPem);
  if (key === undefined) throw new Error(`${privateKey}: holds no private key in PEM without a passphrase`);
  const svid = receiveSvid(chain, key);
  if (typeof svid === 'string') throw new Error(`${certificate}: ${svid}`);
  const [before] = previous ?? [];
  const same =
    before?.privateKey === svid.privateKey && before.certificates.join() === svid.certificates.join();
  return same ? previous! : [{ ...svid, hint: '' }];
}

async function read(readFile: SvidFileOptions['readFile'], path: string): Promise<string> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    throw new Error(`${path}: cannot be read (${code ?? name})`, { cause: error });
  }
}
