import { isRefusal } from '../errors/refusal.js';
import { parseTrustBundle, TrustBundles, type TrustBundle, type TrustBundleSource } from './trust-bundle.js';

export interface BundleFilesOptions {
  /** Absolute path of each trust domain's bundle, by the domain's name. */
  readonly files: ReadonlyMap<string, string>;
  readonly readFile: (path: string) => Promise<string>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** How one trust domain's bundle stands. */
export interface BundleStatus {
  readonly trustDomain: string;
  /** When the file was last read and found good; milliseconds since the epoch. */
  readonly lastSuccess?: number;
  /** Why the newest attempt failed; the last good bundle stays in force. */
  readonly error?: string;
}

/** Trust bundles from files, read again at {@link refresh}. */
export interface BundleFiles extends TrustBundleSource {
  /**
   * Reads every file. Bundles that changed come into force together; one that cannot be read or is not a
   * bundle stays as it last was. Never rejects.
   *
   * @returns whether anything changed
   */
  refresh(): Promise<boolean>;
  status(): readonly BundleStatus[];
}

interface Entry {
  text?: string;
  bundle?: TrustBundle;
  lastSuccess?: number;
  error?: string;
}

/** No file has been read yet: call {@link BundleFiles.refresh} first. Until then every domain is unknown. */
export function createBundleFiles({ files, readFile, now }: BundleFilesOptions): BundleFiles {
  const entries = new Map<string, Entry>([...files.keys()].map((name) => [name, {}]));
  let bundles = new TrustBundles([], 0);

  /** Files hold a few kilobytes: comparing texts tells a change for certain, as timestamps don't. */
  async function read(trustDomain: string, path: string): Promise<boolean> {
    const entry = entries.get(trustDomain)!;
    const text = await readFile(path).catch((error: NodeJS.ErrnoException) => error);
    if (text instanceof Error) {
      entry.error = `${path}: cannot be read (${text.code ?? text.name})`;
      return false;
    }
    const parsed = text === entry.text ? entry.bundle! : parseTrustBundle(trustDomain, text);
    if (isRefusal(parsed)) {
      entry.error = `${path}: ${parsed.detail}`;
      return false;
    }
    const changed = parsed !== entry.bundle;
    entries.set(trustDomain, { text, bundle: parsed, lastSuccess: now() });
    return changed;
  }

  return {
    current: () => bundles,
    async refresh() {
      const changes = await Promise.all([...files].map(([name, path]) => read(name, path)));
      if (!changes.includes(true)) return false;
      const all = [...entries.values()].flatMap(({ bundle }) => bundle ?? []);
      bundles = new TrustBundles(all, bundles.revision + 1);
      return true;
    },
    status: () =>
      [...entries].map(([trustDomain, { lastSuccess, error }]) => ({
        trustDomain,
        ...(lastSuccess !== undefined && { lastSuccess }),
        ...(error !== undefined && { error }),
      })),
  };
}
