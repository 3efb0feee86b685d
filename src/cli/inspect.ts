import { readFile, stat } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { BUNDLE_ALGORITHMS } from '../config/algorithms.js';
import type { Verification } from '../policy/signature.js';
import { readVerificationKeys } from './bundle-keys.js';
import { Failure } from './failure.js';
import { inspectBundle } from './inspect/inspection.js';
import { inspectionText } from './inspect/text.js';
import { bundleFiles, folderFiles } from './inspect/files.js';

interface InspectOptions {
  verificationKey?: string;
  verificationKeyId: string;
  signingAlg: (typeof BUNDLE_ALGORITHMS)[number];
  scope?: string;
  entrypoint: string[];
  format: 'text' | 'json';
}

/** `countersign inspect BUNDLE` */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description('tell what a bundle holds, needs and is signed with')
    .argument('<bundle>', 'a .tar.gz file, or a folder')
    .option(
      '--verification-key <file>',
      'verify the signature with this public key, PEM; or secret, for HS256 …',
    )
    .option('--verification-key-id <id>', 'what the key is called', 'default')
    .addOption(
      new Option('--signing-alg <name>', 'the algorithm of the key')
        .choices(BUNDLE_ALGORITHMS)
        .default('RS256'),
    )
    .option('--scope <text>', 'what the signature has to say of its scope')
    .option(
      '-e, --entrypoint <path...>',
      'of a folder that is not compiled, what is asked for: tells the built-ins that it would need',
      [],
    )
    .addOption(new Option('--format <name>', 'how it is printed').choices(['text', 'json']).default('text'))
    .action(async (path: string, options: InspectOptions) => {
      const verification = await verificationOf(options);
      const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
        throw new Failure(`${path} cannot be read (${error.code})`);
      });
      const files = found.isDirectory()
        ? await folderFiles(path)
        : await bundleFiles(path, await readFile(path));
      const inspection = await inspectBundle(path, files, {
        now: Date.now(),
        entrypoints: options.entrypoint,
        ...(verification && { verification }),
      });
      process.stdout.write(
        options.format === 'json' ? `${JSON.stringify(inspection, null, 2)}\n` : inspectionText(inspection),
      );
      // Whoever gave a key wants to know in a script, too.
      if (verification && inspection.signature?.verified !== true) process.exitCode = 2;
    });
}

async function verificationOf(options: InspectOptions): Promise<Verification | undefined> {
  const { verificationKey: key, verificationKeyId: id, signingAlg: algorithm, scope } = options;
  if (key === undefined) return undefined;
  const keys = await readVerificationKeys({ [id]: { algorithm, key } }).catch((error: unknown) => {
    // The message is about the configuration's member of this kind.
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.message.replace(/^policy\.keys\.[^:]*/, '--verification-key'));
  });
  return { keys, keyId: id, exclude: [], ...(scope !== undefined && { scope }) };
}
