import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { isRefusal } from '../errors/refusal.js';
import { packBundle, unpackBundle } from '../policy/bundle-archive.js';
import { type CompiledRego, compileRego } from '../rego/compiler.js';
import { readRegoFolder } from '../rego/folder.js';
import { Failure } from './failure.js';
import { readSigningFlags, signArchive, type SigningFlags, withSigningFlags } from './sign.js';

interface BuildOptions extends SigningFlags {
  entrypoint: string[];
  output: string;
  revision?: string;
}

/** `countersign build DIR -e ENTRYPOINT -o bundle.tar.gz` */
export function buildCommand(): Command {
  return withSigningFlags(new Command('build'))
    .description('compile a folder of Rego to a standard OPA bundle with Wasm in it')
    .argument('<folder>', 'where the .rego, data.json and data.yaml files are')
    .requiredOption(
      '-e, --entrypoint <path...>',
      'what can be asked for, as package/rule: mesh/authz/decision',
    )
    .option('-o, --output <file>', 'the bundle to write', 'bundle.tar.gz')
    .option('-r, --revision <text>', "the manifest's revision")
    .action(async (folder: string, options: BuildOptions) => {
      const signing = await readSigningFlags(options);
      const compiled = await compileFolder(folder, options.entrypoint, options.revision);
      const built = await withDigest(compiled.bundle);
      const bundle = signing ? await signArchive(built, signing) : built;
      await writeFile(options.output, bundle).catch((error: NodeJS.ErrnoException) => {
        throw new Failure(`--output: ${options.output} cannot be written (${error.code})`);
      });
      process.stderr.write(
        `${options.output}: ${bundle.byteLength} bytes, ${options.entrypoint.join(', ')}\n`,
      );
    });
}

/**
 * Says in the manifest which Wasm its `reads` are about: a tool that compiles the bundle again may keep the one and
 * change the other.
 */
async function withDigest(bundle: Uint8Array): Promise<Uint8Array> {
  const files = await unpackBundle(bundle, Infinity);
  if (isRefusal(files)) throw new Failure(files.detail, 2);
  const manifest = JSON.parse(files.get('.manifest')!.toString('utf8')) as {
    metadata?: { countersign?: object };
  };
  const wasm = createHash('sha256').update(files.get('policy.wasm')!).digest('hex');
  const metadata = { ...manifest.metadata, countersign: { ...manifest.metadata?.countersign, wasm } };
  files.set('.manifest', Buffer.from(JSON.stringify({ ...manifest, metadata })));
  return packBundle(files);
}

/**
 * Compiles a folder.
 *
 * @throws Failure with file, line and column of all that is wrong with the sources
 */
export async function compileFolder(
  folder: string,
  entrypoints: readonly string[],
  revision?: string,
): Promise<CompiledRego> {
  const sources = await readRegoFolder(folder);
  if (isRefusal(sources)) throw new Failure(sources.detail, 2);
  const compiled = await compileRego(sources, { entrypoints, ...(revision !== undefined && { revision }) });
  if (isRefusal(compiled)) throw new Failure(compiled.detail, 2);
  return compiled;
}
