import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDescriptors } from '../../src/cli/proto-descriptor.js';
import { descriptorSet, withoutImports } from '../support/grpc-service.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-descriptors-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(bytes: Uint8Array) {
  const path = join(folder, 'services.pb');
  await writeFile(path, bytes);
  return loadDescriptors(path);
}

test('a descriptor set is read', async () => {
  const { registry } = (await load(descriptorSet))!;
  expect(registry.getService('shop.v1.Orders')?.methods.map(({ name }) => name)).toContain('Place');
});

test('none is read where none is configured', async () => {
  expect(await loadDescriptors(undefined)).toBeUndefined();
});

test('one that is not there, or not whole, is an error that names the key, the file and the mend', async () => {
  await expect(loadDescriptors(join(folder, 'other.pb'))).rejects.toThrow(
    /^policy\.proto_descriptor: .*other\.pb cannot be read \(ENOENT\)$/,
  );
  for (const bytes of [withoutImports, Buffer.from('syntax = "proto3";')])
    await expect(load(bytes)).rejects.toThrow(
      /^policy\.proto_descriptor: .*services\.pb: not a descriptor set .*--include_imports/,
    );
});
