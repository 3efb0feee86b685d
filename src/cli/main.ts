#!/usr/bin/env node
import { Command } from 'commander';
import { Failure } from './failure.js';
import { version } from './version.js';

/** A server has no use for what explains, compiles or demonstrates, and most of a command's modules are its own. */
const COMMANDS: { readonly [name: string]: () => Promise<Command> } = {
  serve: async () => {
    if (asked === 'serve') (await import('./heap.js')).collectAsServer();
    return (await import('./serve.js')).serveCommand();
  },
  check: async () => (await import('./check.js')).checkCommand(),
  test: async () => (await import('./test.js')).testCommand(),
  fmt: async () => (await import('./fmt.js')).fmtCommand(),
  build: async () => (await import('./build.js')).buildCommand(),
  sign: async () => (await import('./sign.js')).signCommand(),
  inspect: async () => (await import('./inspect.js')).inspectCommand(),
  init: async () => (await import('./init.js')).initCommand(),
  explain: async () => (await import('./explain.js')).explainCommand(),
  revoke: async () => (await import('./revoke.js')).revokeCommand(),
  config: async () => (await import('./config.js')).configCommand(),
  doctor: async () => (await import('./doctor.js')).doctorCommand(),
  demo: async () => (await import('./demo.js')).demoCommand(),
};

const asked = process.argv[2];

const program = new Command('countersign')
  .description('Envoy external authorization by workload identity (SPIFFE), token (OAuth) and policy (Rego)')
  .version(version);

// Help, and a name that is misspelt, need them all.
const needed = asked !== undefined && Object.hasOwn(COMMANDS, asked) ? [asked] : Object.keys(COMMANDS);
for (const name of needed) program.addCommand(await COMMANDS[name]!());

try {
  await program.parseAsync();
} catch (error) {
  // A Failure is the user's to mend, and its message says how; anything else is a defect, with its stack.
  process.stderr.write(`${error instanceof Failure ? error.message : (error as Error).stack}\n`);
  // At once: what was begun before the failure, such as fetching keys, has nobody left to serve.
  process.exit(error instanceof Failure ? error.exitCode : 70);
}
