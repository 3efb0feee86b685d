import { prepareSvid, type ReceivedSvid } from '../../spiffe/workload-svids.js';
import type { OwnSvids } from '../client-authentication.js';
import type { BundlesPart } from './bundles.js';

/** What this process shows servers of others, out of the Workload API; undefined where that is not used. */
export function ownSvids({ own }: Pick<BundlesPart, 'own'>): OwnSvids | undefined {
  if (own === undefined) return undefined;
  let prepared: { readonly of: ReceivedSvid; readonly certificate: string; readonly key: string } | undefined;
  return {
    jwt: own.jwtSvid,
    async x509() {
      const feed = own.svids();
      await feed.start();
      const { value, lastError } = feed.latest() ?? {};
      const [svid] = value ?? [];
      if (svid === undefined) throw new Error(`there is no X.509-SVID: ${lastError ?? 'none has come yet'}`);
      if (prepared?.of !== svid) {
        const { chainPem, privateKey } = prepareSvid(svid);
        const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
        prepared = { of: svid, certificate: chainPem, key };
      }
      return prepared;
    },
  };
}
