import { createHash } from 'node:crypto';
import { watch } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { BundleContent, OpenBundleOptions } from '../policy/bundle.js';
import { readData } from '../policy/bundle-data.js';
import type { PartContent } from '../policy/source.js';
import { compileRego } from '../rego/compiler.js';
import { readRegoFolder } from '../rego/folder.js';

/**
 * A folder of Rego and data, as if it were a bundle. Its revision is told by what is in it.
 *
 * @param entrypoints are asked for where the compiler has to say what is wrong, and where
 */
export async function readPolicyFolder(
  folder: string,
  entrypoints: readonly string[],
): Promise<BundleContent | Refusal> {
  const sources = await readRegoFolder(folder);
  if (isRefusal(sources)) return sources;
  const hash = createHash('sha256');
  for (const { path, content } of sources) hash.update(`${path}\0${Buffer.byteLength(content)}\0${content}`);
  const rego = sources.filter(({ path }) => path.endsWith('.rego'));
  const files = new Map(
    sources
      .filter((source) => !rego.includes(source))
      .map(({ path, content }) => [path, Buffer.from(content)] as const),
  );
  const read = readData(files);
  if (isRefusal(read)) {
    // OPA knows the line; where it finds nothing, what was found here counts all the same.
    const compiled = await compileRego(sources, { entrypoints });
    return isRefusal(compiled) ? compiled : read;
  }
  const digest = hash.digest('hex');
  const bytes = sources.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
  return { digest, revision: `sha256:${digest.slice(0, 16)}`, roots: [''], bytes, rego, data: read.data };
}

/**
 * A bundle file. It is read once, and what was read is what is verified and loaded.
 *
 * @param open what opens the bytes that were read
 */
export async function readBundleFile<Content extends PartContent>(
  path: string,
  options: OpenBundleOptions & { readonly maxBytes: number },
  open: (bytes: Uint8Array, options: OpenBundleOptions) => Promise<Content | Refusal>,
): Promise<Content | Refusal> {
  try {
    const found = await stat(path);
    // A device or a pipe may never end.
    if (!found.isFile()) return refuse('bundle_unreadable', `${path} is not a file`);
    if (found.size > options.maxBytes)
      return refuse('bundle_too_large', `${path} is larger than ${options.maxBytes} bytes`);
    const content = await open(await readFile(path), options);
    return isRefusal(content) ? { ...content, detail: `${path}: ${content.detail}` } : content;
  } catch (error) {
    return refuse('bundle_unreadable', `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** More folders than a policy has; beyond them changes are noticed all the same, only later. */
const MOST_WATCHED = 500;

/**
 * Tells two states of a file or a folder apart by what the file system says of every file in it: a name, an inode, a
 * size or a time that is another. Links are followed, so that the swap of a Kubernetes volume's `..data` shows.
 */
export async function fingerprint(path: string): Promise<string> {
  const lines: string[] = [];
  await walk(path, lines, []);
  return lines.sort().join('\n');
}

/** @param known what the path leads to, where that is no question */
async function walk(path: string, lines: string[], above: readonly string[], known?: string): Promise<void> {
  try {
    const real = known ?? (await realpath(path));
    const { ino, dev, size, mtimeNs, ctimeNs, isFolder } = await statOf(real);
    if (!isFolder) {
      lines.push([path, real, dev, ino, size, mtimeNs, ctimeNs].join(' '));
      return;
    }
    lines.push(`${path} ${real} ${dev} ${ino}`);
    if (above.includes(real)) return;
    for (const entry of await readdir(real, { withFileTypes: true })) {
      const { name } = entry;
      if (name.startsWith('.') || name === 'node_modules') continue;
      const below = entry.isSymbolicLink() ? undefined : join(real, name);
      await walk(join(path, name), lines, [...above, real], below);
    }
  } catch (error) {
    lines.push(`${path} ${(error as NodeJS.ErrnoException).code}`);
  }
}

async function statOf(path: string) {
  const found = await stat(path, { bigint: true });
  return {
    ino: found.ino,
    dev: found.dev,
    size: found.size,
    mtimeNs: found.mtimeNs,
    ctimeNs: found.ctimeNs,
    isFolder: found.isDirectory(),
  };
}

/** Calls back when the system says that something changes in a folder or below it, or that a file is replaced. */
export function fileHints(path: string, onHint: () => void): { close(): void } {
  const closers: (() => void)[] = [];
  let closed = false;
  const listen = (folder: string, concerns: (name: string) => boolean) => {
    if (closed) return;
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null || concerns(name)) onHint();
      });
      // A folder that goes away, or a system without watches to spare: polling is there for that.
      watcher.on('error', () => watcher.close());
      closers.push(() => watcher.close());
    } catch {
      /* the same */
    }
  };
  void foldersOf(path).then((folders) => {
    for (const folder of folders ?? []) listen(folder, () => true);
    // A mounted ConfigMap swaps `..data`, to which the file is a link. Others in the folder are not our concern.
    if (folders === undefined) listen(dirname(path), (name) => name === basename(path) || name === '..data');
  });
  return {
    close() {
      closed = true;
      for (const close of closers) close();
    },
  };
}

/** A folder and those below it; undefined for a file, and for what is not there. */
async function foldersOf(path: string): Promise<string[] | undefined> {
  try {
    const inner = await readdir(path, { recursive: true, withFileTypes: true });
    const folders = inner.filter((entry) => entry.isDirectory()).map((entry) => join(entry.path, entry.name));
    return [path, ...folders].slice(0, MOST_WATCHED);
  } catch {
    return undefined;
  }
}
