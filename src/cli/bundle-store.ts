import { constants } from 'node:fs';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;

/** The last good bundle of each name, on disk, for a restart while its service is away. */
export interface BundleStore {
  /** @throws Error of the file system */
  save(name: string, bytes: Uint8Array): Promise<void>;
  /** Undefined where there is none that can be read. What it holds has to be verified like any other. */
  load(name: string, limit: number): Promise<Uint8Array | undefined>;
}

/** @param folder is made where it is not there; OPA's layout: a folder for each bundle */
export function createBundleStore(folder: string): BundleStore {
  const place = (name: string) => join(folder, name, 'bundle.tar.gz');
  return {
    async save(name, bytes) {
      await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
      const part = `${place(name)}.${process.pid}.part`;
      // A link that somebody laid there is not followed.
      const file = await open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
      try {
        await file.writeFile(bytes);
        // A machine that stops now must not be left with half of it under the whole's name.
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, place(name));
    },
    async load(name, limit) {
      const bytes = await readFile(place(name)).catch(() => undefined);
      return bytes !== undefined && bytes.byteLength <= limit ? bytes : undefined;
    },
  };
}
