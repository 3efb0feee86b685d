import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

/** The files of a bundle by name, in the archive's order. */
export async function unpack(bundle: Uint8Array): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const entry of Readable.from([bundle]).pipe(createGunzip()).pipe(extract())) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    files.set(entry.header.name, Buffer.concat(chunks));
  }
  return files;
}

/** One JSON file of a bundle. */
export function json(files: ReadonlyMap<string, Buffer>, name: string): unknown {
  const content = files.get(name);
  if (content === undefined) throw new Error(`no ${name} among ${[...files.keys()].join(', ')}`);
  return JSON.parse(content.toString('utf8'));
}
