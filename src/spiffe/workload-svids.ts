import { createPrivateKey, type KeyObject } from 'node:crypto';
import { isRefusal } from '../errors/refusal.js';
import type { Feed, Hub } from '../feed/feed.js';
import type { Fetched } from '../feed/polled-feed.js';
import { readCertificate, splitDer } from '../identity/certificate.js';
import { readSvid } from '../identity/svid.js';
import { createStreamFeed } from './stream-feed.js';
import type { SvidsMessage, WorkloadApi } from './workload-api.js';

export interface WorkloadSvidsOptions {
  /** Called in the process that fetches, and in no other. */
  readonly api: () => WorkloadApi;
  /** Milliseconds without a message after which the agent is asked again. */
  readonly refresh: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly hub: Hub;
}

/** An X.509-SVID of this process, as plain data. It holds a private key: it goes from process to process, nowhere else. */
export interface ReceivedSvid {
  readonly spiffeId: string;
  /** DER in base64, the leaf first. */
  readonly certificates: readonly string[];
  /** PKCS #8 in base64. */
  readonly privateKey: string;
  /** What the operator means this one for; empty where nothing is said. */
  readonly hint: string;
}

/** An X.509-SVID of this process, ready to be shown. */
export interface WorkloadSvid {
  readonly spiffeId: string;
  /** PEM, the leaf first. */
  readonly chainPem: string;
  readonly privateKey: KeyObject;
  /** The leaf's; milliseconds since the epoch, inclusive. */
  readonly notAfter: number;
}

/** The X.509-SVIDs that the agent gives this process; the first is the default (Workload API, section 5.3). */
export function createWorkloadSvids({
  api,
  refresh,
  now,
  hub,
}: WorkloadSvidsOptions): Feed<Fetched<readonly ReceivedSvid[]>> {
  return hub.feed('X.509-SVIDs of the Workload API', () =>
    createStreamFeed<SvidsMessage, readonly ReceivedSvid[]>({
      open: api().stream('FetchX509SVID'),
      read: readSvids,
      refresh,
      now,
    }),
  );
}

/** Makes ready what the feed holds. What it holds was looked at when it was received. */
export function prepareSvid({ spiffeId, certificates, privateKey }: ReceivedSvid): WorkloadSvid {
  const leaf = readCertificate(Buffer.from(certificates[0]!, 'base64'));
  if (isRefusal(leaf)) throw new Error(leaf.detail);
  return {
    spiffeId,
    chainPem: certificates.map(pem).join(''),
    privateKey: createPrivateKey({ key: Buffer.from(privateKey, 'base64'), format: 'der', type: 'pkcs8' }),
    notAfter: leaf.fields.notAfter,
  };
}

/** @throws Error for a message that lacks what is mandatory: it is passed over as a whole (section 4.5) */
function readSvids({ svids }: SvidsMessage): readonly ReceivedSvid[] {
  if (svids.length === 0) throw new Error('FetchX509SVID: a message without any SVID');
  return svids.map(({ spiffeId, x509Svid, x509SvidKey, hint }, i) => {
    const svid = receiveSvid(splitDer(x509Svid), keyFrom({ key: x509SvidKey, format: 'der', type: 'pkcs8' }));
    const fault =
      typeof svid === 'string'
        ? svid
        : svid.spiffeId === spiffeId
          ? undefined
          : 'its certificate has another SPIFFE ID';
    if (typeof svid === 'string' || fault !== undefined)
      throw new Error(`FetchX509SVID: SVID ${i + 1} cannot be used: ${fault}`);
    return { ...svid, hint };
  });
}

/**
 * Looks at a certificate with its chain and its key, and makes plain data of them.
 *
 * @param chain in DER, the leaf first; undefined for what could not be read as certificates
 * @param privateKey undefined for what could not be read as a key
 * @returns what is wrong, when it is no X.509-SVID with its key; nothing of the key is ever quoted
 */
export function receiveSvid(
  chain: readonly Buffer[] | undefined,
  privateKey: KeyObject | undefined,
): Omit<ReceivedSvid, 'hint'> | string {
  const [first] = chain ?? [];
  if (first === undefined) return 'it is not one certificate in DER after the other';
  const leaf = readCertificate(first);
  if (isRefusal(leaf)) return leaf.detail;
  const id = readSvid(leaf.fields);
  if (isRefusal(id)) return id.detail;
  if (privateKey === undefined || !leaf.x509.checkPrivateKey(privateKey))
    return 'its key is not that of its certificate';
  return {
    spiffeId: id.text,
    certificates: chain!.map((der) => der.toString('base64')),
    privateKey: privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
  };
}

/** An error of node:crypto might quote what it was given, so nothing of it is passed on. */
export function keyFrom(input: Parameters<typeof createPrivateKey>[0]): KeyObject | undefined {
  try {
    return createPrivateKey(input);
  } catch {
    return undefined;
  }
}

function pem(base64: string): string {
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
}
