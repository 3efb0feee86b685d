#!/usr/bin/env node
import { Command } from 'commander';
import { buildCommand } from './build.js';
import { checkCommand } from './check.js';
import { configCommand } from './config.js';
import { demoCommand } from './demo.js';
import { explainCommand } from './explain.js';
import { Failure } from './failure.js';
import { fmtCommand } from './fmt.js';
import { initCommand } from './init.js';
import { inspectCommand } from './inspect.js';
import { revokeCommand } from './revoke.js';
import { serveCommand } from './serve.js';
import { testCommand } from './test.js';
import { signCommand } from './sign.js';
import { version } from './version.js';

const program = new Command('countersign')
  .description('Envoy external authorization by workload identity (SPIFFE), token (OAuth) and policy (Rego)')
  .version(version)
  .addCommand(serveCommand())
  .addCommand(checkCommand())
  .addCommand(testCommand())
  .addCommand(fmtCommand())
  .addCommand(buildCommand())
  .addCommand(signCommand())
  .addCommand(inspectCommand())
  .addCommand(initCommand())
  .addCommand(explainCommand())
  .addCommand(revokeCommand())
  .addCommand(configCommand())
  .addCommand(demoCommand());

try {
  await program.parseAsync();
} catch (error) {
  // A Failure is the user's to mend, and its message says how; anything else is a defect, with its stack.
  process.stderr.write(`${error instanceof Failure ? error.message : (error as Error).stack}\n`);
  // At once: what was begun before the failure, such as fetching keys, has nobody left to serve.
  process.exit(error instanceof Failure ? error.exitCode : 70);
}
