import { Command, InvalidArgumentError, Option } from 'commander';
import { isRefusal } from '../errors/refusal.js';
import type { RegoSource } from '../rego/source.js';
import { isTestFile, readRegoFolder } from '../rego/folder.js';
import { testRego } from '../rego/tester.js';
import { Failure } from './failure.js';
import { testJunit } from './test-junit.js';
import { testReport, type TestReport } from './test-report.js';
import { testText } from './test-text.js';
import { compareWithWasm } from './test-wasm.js';
import { watchFolder } from './watch.js';

interface TestOptions {
  run?: string;
  coverage?: boolean;
  threshold?: number;
  format: 'text' | 'json' | 'junit';
  timeout: number;
  verbose?: boolean;
  watch?: boolean;
  wasm?: boolean;
}

/** `countersign test DIR` */
export function testCommand(): Command {
  return new Command('test')
    .description("run a policy folder's tests (*_test.rego) with OPA's own tester")
    .argument('<folder>', 'where the .rego, data.json and data.yaml files are')
    .option(
      '-r, --run <pattern>',
      'only tests whose full name, data.package.test_name, this RE2 pattern matches',
    )
    .option('-c, --coverage', 'count the lines of the policies that ran')
    .option('--threshold <percent>', 'fail below this coverage; implies --coverage', percentage)
    .addOption(
      new Option('-f, --format <format>', 'of the report').choices(['text', 'json', 'junit']).default('text'),
    )
    .option(
      '-t, --timeout <milliseconds>',
      'when to end a single test; not with --coverage',
      milliseconds,
      5000,
    )
    .option('-v, --verbose', 'tell of tests that pass too')
    .option('--wasm', 'also ask the evaluator that serves, and fail where it differs from OPA')
    .option('-w, --watch', 'run again whenever a file changes')
    .action((folder: string, options: TestOptions) =>
      options.watch ? runOnChange(folder, options) : runOnce(folder, options),
    );
}

function percentage(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 100))
    throw new InvalidArgumentError('It is a number from 0 to 100.');
  return value;
}

function milliseconds(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > 3_600_000)
    throw new InvalidArgumentError('It is a whole number from 1 to 3600000.');
  return value;
}

async function runOnce(folder: string, options: TestOptions): Promise<void> {
  const sources = await readRegoFolder(folder, { tests: true });
  if (isRefusal(sources)) throw new Failure(sources.detail, 2);
  const { text, ok } = await runTests(folder, sources, options);
  process.stdout.write(text);
  if (!ok) process.exitCode = 2;
}

/** Runs until it is interrupted; what is wrong with the folder now may be mended with the next save. */
async function runOnChange(folder: string, options: TestOptions): Promise<void> {
  const read = () => readRegoFolder(folder, { tests: true });
  for await (const sources of watchFolder(folder, read)) {
    const text = isRefusal(sources)
      ? `${sources.detail}\n`
      : await runTests(folder, sources, options)
          .then((outcome) => outcome.text)
          .catch((error: unknown) => {
            if (error instanceof Failure) return `${error.message}\n`;
            throw error;
          });
    process.stdout.write(`${text}-- ${new Date().toLocaleTimeString()}, waiting for changes in ${folder}\n`);
  }
}

async function runTests(
  folder: string,
  sources: readonly RegoSource[],
  options: TestOptions,
): Promise<{ text: string; ok: boolean }> {
  const found = await testRego(sources, {
    ...(options.run !== undefined && { run: options.run }),
    coverage: options.coverage === true || options.threshold !== undefined,
    timeoutMs: options.timeout,
  });
  if (isRefusal(found)) {
    if (options.format === 'json') return { text: json({ errors: found.errors }), ok: false };
    throw new Failure(found.detail, 2);
  }
  if (found.tests.length === 0) throw new Failure(noTests(folder, sources, options.run), 2);
  const tests = options.wasm ? await compareWithWasm(sources, found.tests) : found.tests;
  const report = testReport(
    { ...found, tests },
    {
      compared: options.wasm === true,
      ...(options.threshold !== undefined && { threshold: options.threshold }),
    },
  );
  return { text: write(report, options), ok: report.ok };
}

function write(report: TestReport, { format, verbose }: TestOptions): string {
  if (format === 'json') return json(report);
  return format === 'junit' ? testJunit(report) : testText(report, verbose === true);
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function noTests(folder: string, sources: readonly RegoSource[], run: string | undefined): string {
  if (run !== undefined && run !== '')
    return `--run: no test in ${folder} has a name that ${run} matches; names are data.PACKAGE.test_NAME`;
  return sources.some(({ path }) => isTestFile(path))
    ? `${folder}: no test in its *_test.rego files; a test is a rule whose name begins with test_`
    : `${folder}: no *_test.rego file in it`;
}
