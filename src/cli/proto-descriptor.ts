import { readFile } from 'node:fs/promises';
import type { GrpcDescriptors } from '../envoy/grpc-body.js';
import { isRefusal } from '../errors/refusal.js';
import { Failure } from './failure.js';

/**
 * The descriptor set that a configuration names, where it names one.
 *
 * @throws Failure that names the key and the file
 */
export async function loadDescriptors(path: string | undefined): Promise<GrpcDescriptors | undefined> {
  if (path === undefined) return undefined;
  // The library behind it is large, and few policies look into messages.
  const { readDescriptors } = await import('../envoy/grpc-body.js');
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new Failure(`policy.proto_descriptor: ${path} cannot be read (${error.code})`);
  });
  const descriptors = readDescriptors(bytes);
  if (isRefusal(descriptors))
    throw new Failure(
      `policy.proto_descriptor: ${path}: ${descriptors.detail}; write it with protoc --include_imports --descriptor_set_out`,
    );
  return descriptors;
}
