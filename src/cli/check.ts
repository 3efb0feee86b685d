import { Command, Option } from 'commander';
import { INPUT_SCHEMA } from '../decision/input-schema.js';
import { isRefusal } from '../errors/refusal.js';
import { checkRego, type RegoCheckReport, type RegoSchema } from '../rego/checker.js';
import { formatRegoErrors, type RegoError } from '../rego/errors.js';
import { readRegoFolder } from '../rego/folder.js';
import { readRegoSchemas } from '../rego/schema-folder.js';
import { builtinErrors } from './check-builtins.js';
import { Failure } from './failure.js';

interface CheckOptions {
  entrypoint?: string[];
  strictWarnings?: boolean;
  format: 'text' | 'json';
  printSchema?: boolean;
}

/** What the server asks unless it is configured otherwise. */
const DEFAULT_ENTRYPOINT = 'mesh/authz/decision';

/** `countersign check DIR` */
export function checkCommand(): Command {
  return new Command('check')
    .description('say everything that is wrong with a policy folder, and what is probably not meant')
    .argument(
      '[folder]',
      'where the .rego, data.json and data.yaml files are, and schemas/*.schema.json',
      '.',
    )
    .option('-e, --entrypoint <path...>', 'what is asked for, as package/rule')
    .option('--strict-warnings', 'exit with 2 for warnings too')
    .addOption(new Option('-f, --format <format>', 'of the report').choices(['text', 'json']).default('text'))
    .option('--print-schema', 'print the JSON Schema of the input instead, for editors')
    .action(async (folder: string, options: CheckOptions) => {
      if (options.printSchema) {
        process.stdout.write(`${JSON.stringify(INPUT_SCHEMA, null, 2)}\n`);
        return;
      }
      const { errors, warnings, files } = await checkFolder(folder, options.entrypoint ?? []);
      const good = errors.length === 0 && (warnings.length === 0 || !options.strictWarnings);
      process.stdout.write(
        options.format === 'json'
          ? `${JSON.stringify({ ok: good, errors, warnings }, null, 2)}\n`
          : reportText(errors, warnings, files),
      );
      if (!good) process.exitCode = 2;
    });
}

interface FolderReport extends Pick<RegoCheckReport, 'errors' | 'warnings'> {
  /** How many were looked at. */
  readonly files: number;
}

/** @throws Failure where the folder cannot be read */
async function checkFolder(folder: string, entrypoints: readonly string[]): Promise<FolderReport> {
  const [sources, schemas] = await Promise.all([
    readRegoFolder(folder, { tests: true }),
    readRegoSchemas(folder),
  ]);
  if (isRefusal(sources)) throw new Failure(sources.detail, 2);
  if (isRefusal(schemas)) throw new Failure(schemas.detail, 2);
  const report = await checkRego(sources, {
    schemas: withInput(schemas),
    entrypoints,
    defaultEntrypoint: DEFAULT_ENTRYPOINT,
  });
  if (isRefusal(report)) throw new Failure(report.detail, 2);
  const errors = report.errors.length > 0 ? report.errors : await builtinErrors(sources, report);
  return { errors, warnings: report.warnings, files: sources.length };
}

/** A folder's own schema of the input stands in the place of ours. */
function withInput(schemas: readonly RegoSchema[]): readonly RegoSchema[] {
  if (schemas.some(({ name }) => name === 'input')) return schemas;
  return [{ name: 'input', path: 'input.schema.json', content: JSON.stringify(INPUT_SCHEMA) }, ...schemas];
}

function reportText(errors: readonly RegoError[], warnings: readonly RegoError[], files: number): string {
  const lines = [
    ...errors.map((error) => formatRegoErrors([error])),
    ...warnings.map((found) => formatRegoErrors([{ ...found, code: `warning: ${found.code}` }])),
  ];
  return [...lines, `${count(files, 'file')}: ${summary(errors.length, warnings.length)}`, ''].join('\n');
}

function summary(errors: number, warnings: number): string {
  if (errors + warnings === 0) return 'no problems';
  const parts = [];
  if (errors > 0) parts.push(count(errors, 'error'));
  if (warnings > 0) parts.push(count(warnings, 'warning'));
  return parts.join(', ');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
