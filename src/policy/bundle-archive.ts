import { Readable } from 'node:stream';
import { createGunzip, gzipSync } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import { refuse } from '../errors/refusal.js';
import { type Unreadable, unreadable } from './bundle-refusal.js';

/** More than any policy has; each one costs memory beside its bytes. */
const MOST_FILES = 100_000;

/** Bytes that an archive may have besides its files, and as many as those again. */
const SLACK = 1024 * 1024;

/**
 * The files of a gzipped tar, by name without a leading `/` or `./`. Links and devices are left out: nothing is ever
 * written to a disk, so a name leads nowhere, and one with `..` is refused all the same. Never rejects.
 *
 * @param maxBytes of all files together, unpacked
 */
export async function unpackBundle(
  bytes: Uint8Array,
  maxBytes: number,
): Promise<Map<string, Buffer> | Unreadable> {
  const files = new Map<string, Buffer>();
  const archive = extract();
  const source = Readable.from([bytes]);
  const gunzip = createGunzip();
  // An error anywhere ends the loop below, which reads from the last of the three.
  source.on('error', (error) => gunzip.destroy(error)).pipe(gunzip);
  gunzip.on('error', (error) => archive.destroy(error)).pipe(archive);
  // What stands between files is no file's, and is held in memory too: headers of headers, and what links say.
  let inflated = 0;
  gunzip.on('data', (chunk: Buffer) => {
    inflated += chunk.length;
    if (inflated > 2 * maxBytes + SLACK) archive.destroy(new TooLarge());
  });
  let total = 0;
  try {
    for await (const entry of archive) {
      const name = entry.header.name.replace(/^(\.?\/)+/, '');
      if (entry.header.type !== 'file') {
        entry.resume();
        continue;
      }
      if (name.split('/').includes('..')) return unreadable('a file of the bundle has .. in its name');
      if (files.size === MOST_FILES)
        return refuse('bundle_too_large', `the bundle holds more than ${MOST_FILES} files`);
      if (files.has(name)) return unreadable(`the bundle holds ${name} twice`);
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        total += chunk.length;
        if (total > maxBytes) return tooLarge(maxBytes);
        chunks.push(chunk);
      }
      files.set(name, Buffer.concat(chunks));
    }
  } catch (error) {
    if (error instanceof TooLarge) return tooLarge(maxBytes);
    return unreadable(`the bundle is not a gzipped tar archive (${(error as Error).message})`);
  } finally {
    gunzip.destroy();
    archive.destroy();
  }
  return files;
}

class TooLarge extends Error {}

function tooLarge(maxBytes: number): Unreadable {
  return refuse('bundle_too_large', `the bundle unpacks to more than ${maxBytes} bytes`);
}

/** A gzipped tar of these files, under names with a slash in front, as OPA writes them. Equal files give equal bytes. */
export async function packBundle(
  files: Iterable<readonly [name: string, content: Uint8Array | string]>,
): Promise<Uint8Array> {
  const archive = pack();
  for (const [name, content] of files)
    archive.entry({ name: `/${name}`, mode: 0o600, mtime: new Date(0) }, Buffer.from(content as Uint8Array));
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}
