import { X509Certificate } from 'node:crypto';
import { copyFile, link } from 'node:fs/promises';
import { localHub } from '../../src/feed/feed.js';
import { splitDer } from '../../src/identity/certificate.js';
import { createWorkloadApi } from '../../src/spiffe/workload-api.js';
import { createWorkloadBundles } from '../../src/spiffe/workload-bundles.js';
import { createWorkloadSvids, prepareSvid, type ReceivedSvid } from '../../src/spiffe/workload-svids.js';
import { comeTrue } from './come-true.js';

/** What a workload shows in TLS. */
export interface ShownSvid {
  readonly certPem: string;
  readonly keyPem: string;
}

/** What an agent gives to this process, which is every workload whose entry selects it. */
export interface SpireWorkloads {
  /** The newest of that workload. @throws Error where the agent never gave any for it */
  svid(spiffeId: string): ShownSvid;
  /** The authorities of a trust domain; none where the agent does not send it. */
  authorities(trustDomain: string): readonly X509Certificate[];
  /** Calls the listener whenever any of it may be another. @returns what ends that */
  onChange(listener: () => void): () => void;
  stop(): void;
}

/** Milliseconds that an agent may take for what was registered a moment ago. */
const WHILE = 60_000;

/** Resolves when the agent gives all of these SPIFFE IDs. */
export async function startWorkloads(
  socketPath: string,
  spiffeIds: readonly string[],
): Promise<SpireWorkloads> {
  const api = createWorkloadApi(socketPath);
  const options = { api: () => api, refresh: 60_000, now: () => Date.now(), hub: localHub };
  const svids = createWorkloadSvids(options);
  const { x509: bundles } = createWorkloadBundles(options);
  // While SPIRE replaces what a tainted authority signed, it leaves out what is not ready yet.
  const newest = new Map<string, ReceivedSvid>();
  svids.onChange(({ value = [] }) => value.forEach((one) => newest.set(one.spiffeId, one)));
  const workloads: SpireWorkloads = {
    svid(spiffeId) {
      const received = newest.get(spiffeId);
      if (received === undefined) throw new Error(`the agent gives no SVID of ${spiffeId}`);
      const { chainPem, privateKey } = prepareSvid(received);
      return { certPem: chainPem, keyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() };
    },
    authorities(trustDomain) {
      const { document } = bundles.latest()?.value?.get(trustDomain) ?? {};
      const ders = document === undefined ? [] : splitDer(Buffer.from(document, 'base64'))!;
      return ders.map((der) => new X509Certificate(der));
    },
    onChange(listener) {
      const ends = [svids, bundles].map((feed) => feed.onChange(listener));
      return () => ends.forEach((end) => end());
    },
    stop() {
      for (const feed of [svids, bundles]) feed.stop();
      api.close();
    },
  };
  void svids.start();
  void bundles.start();
  await comeTrue(() => void spiffeIds.forEach((id) => workloads.svid(id)), WHILE);
  return workloads;
}

/**
 * A program of its own, as the agent tells workloads apart by the path of what runs.
 *
 * @param path where it is to be
 */
export async function standIn(program: string, path: string): Promise<void> {
  await link(program, path).catch(() => copyFile(program, path));
}
