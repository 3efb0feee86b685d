import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { isRefusal } from '../errors/refusal.js';
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
      const bundle = signing ? await signArchive(compiled.bundle, signing) : compiled.bundle;
      await writeFile(options.output, bundle).catch((error: NodeJS.ErrnoException) => {
        throw new Failure(`--output: ${options.output} cannot be written (${error.code})`);
      });
      process.stderr.write(
        `${options.output}: ${bundle.byteLength} bytes, ${options.entrypoint.join(', ')}\n`,
      );
    });
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
