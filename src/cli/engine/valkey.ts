import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/schema.js';
import type { ReplayGuard } from '../../jws/replay.js';
import type { RevocationStore } from '../../revocation/store.js';
import { createValkeyLink, type ValkeyOptions } from '../../valkey/link.js';
import { createStoreReplayGuard } from '../../valkey/replay-guard.js';
import { createValkeyStore } from '../../valkey/revocation-store.js';

type StoreConfig = NonNullable<Config['revocation']['store']>;

function placeOf({ url, username, password_file: password, ca }: StoreConfig): ValkeyOptions {
  return {
    url,
    username,
    password: password === undefined ? undefined : async () => (await readText(password)).trim(),
    ca: ca === undefined ? undefined : () => readText(ca),
  };
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${path} cannot be read: ${error.code}`);
  });
}

/** The list that replicas share. */
export function sharedRevocations(
  store: StoreConfig,
  maxEntries: number,
  now: () => number,
): RevocationStore {
  return createValkeyStore({ ...placeOf(store), prefix: store.prefix, maxEntries, now });
}

/** One memory of used proofs for all replicas; undefined where they share no store. Ask for it once in a process. */
export function sharedReplayGuard({ revocation }: Config, now: () => number): ReplayGuard | undefined {
  const { store } = revocation;
  return (
    store && createStoreReplayGuard({ link: createValkeyLink(placeOf(store)), prefix: store.prefix, now })
  );
}
