import { readFile } from 'node:fs/promises';
import { text as readStream } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import type { Config } from '../config/schema.js';
import { isRefusal } from '../errors/refusal.js';
import { parseExact, stringifyExact } from '../json/exact.js';
import { formatValue, parseValue } from '../policy/text.js';
import { equalValues } from '../policy/value.js';
import { compileRego } from '../rego/compiler.js';
import type { RegoSource } from '../rego/source.js';
import { explainRego, type Explanation } from '../rego/explainer.js';
import { readRegoFolder } from '../rego/folder.js';
import { readConfig } from './config.js';
import { loadWasm, type WasmOutcome, type WasmPolicy } from './explain/ask-wasm.js';
import { concealer } from './explain/conceal.js';
import { compareLogged, inputText, readLoggedDecision } from './explain/logged-decision.js';
import { paintFor } from './explain/paint.js';
import { reasonLine } from './explain/reasons.js';
import { decisionOf, reportText, type Report } from './explain/report.js';
import { decideRequest } from './explain/request.js';
import { Failure } from './failure.js';
import { readPolicyFolder } from './policy-files.js';

interface ExplainOptions {
  policy?: string;
  entrypoint?: string;
  config?: string;
  input?: string;
  request?: string;
  svid?: string;
  tokenClaims?: string;
  bound?: boolean;
  header?: string[];
  body?: string;
  contextExtension?: string[];
  decision?: string;
  id?: string;
  format: 'text' | 'json';
  all?: boolean;
}

const ENTRYPOINT = 'mesh/authz/decision';

/** Of one expression, where all are asked for. */
const MOST_FAILURES = 10_000;

const EXAMPLES = `
Examples:
  $ countersign explain --policy policies --input input.json
  $ countersign explain --policy policies --request 'POST /orders' \\
      --svid spiffe://example.org/ns/shop/sa/frontend --token-claims '{"scope": "orders:read"}'
  $ countersign explain --policy policies --decision decisions.log --id DECISION_ID
`;

/** `countersign explain --policy DIR`, and one of `--input`, `--request`, `--decision`. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('tell why a policy answers as it does: for an input, a request or a logged decision')
    .option('-p, --policy <folder>', "where the .rego and data files are; default: the configuration's")
    .option('-e, --entrypoint <path>', `what is asked for, as package/rule (default: ${ENTRYPOINT})`)
    .option(
      '-c, --config <file>',
      'take policy, entrypoint, issuers, trust domains and token mode from a configuration',
    )
    .optionsGroup('What to explain, one of:')
    .option('-i, --input <file>', "a policy's input, as JSON; - for standard input")
    .option('-r, --request <line>', "a request: 'POST /orders?dry_run=1'")
    .option('-d, --decision <file>', 'a line of the decision log; - for standard input')
    .optionsGroup('With --request:')
    .option('--svid <id>', 'the SPIFFE ID of the caller; a certificate is minted for it')
    .option(
      '--token-claims <json>',
      'claims of its token, which is minted; what is left out is filled in, null leaves a claim out',
    )
    .option('--bound', 'bind the token to the certificate (RFC 8705)')
    .option('-H, --header <name: value...>', 'a header')
    .option('--body <text>', 'the body, or @FILE')
    .option(
      '--context-extension <name=value...>',
      "what Envoy's configuration says of the route: countersign.audience=orders",
    )
    .optionsGroup('With --decision:')
    .option('--id <id>', 'the decision_id of one line among several')
    .optionsGroup('Output:')
    .addOption(new Option('--format <name>', 'how it is printed').choices(['text', 'json']).default('text'))
    .option('--all', 'every failure and every value, at full length')
    .addHelpText('after', EXAMPLES)
    .action(async (options: ExplainOptions) => {
      const report = await explain(options);
      process.stdout.write(
        options.format === 'json'
          ? `${JSON.stringify(report, null, 2)}\n`
          : reportText(report, paintFor(process.stdout, process.env), options.all === true),
      );
      if (report.wasm?.agrees === false) process.exitCode = 1;
    });
}

async function explain(options: ExplainOptions): Promise<Report> {
  const { input, request, decision } = options;
  const given = [input, request, decision].filter((one) => one !== undefined).length;
  if (given !== 1) throw new Failure('give one of --input, --request and --decision (see --help)');
  const config = options.config === undefined ? undefined : await readConfig(options.config);
  const folder = options.policy ?? config?.policy.path;
  if (folder === undefined) throw new Failure('--policy: give the folder of the policy, or --config');
  const sources = await readSources(folder);
  const subject: Subject = { options, folder, sources, ...(config && { config }) };
  if (input !== undefined) return explainInput(subject, input);
  if (request !== undefined) return explainRequest(subject, request);
  return explainDecision(subject, decision!);
}

interface Subject {
  readonly options: ExplainOptions;
  readonly folder: string;
  readonly sources: readonly RegoSource[];
  readonly config?: Config;
}

async function readSources(folder: string): Promise<readonly RegoSource[]> {
  const sources = await readRegoFolder(folder);
  if (!isRefusal(sources)) return sources;
  const bundle = /\.(tar\.gz|tgz)$/.test(folder)
    ? '\nA bundle does not hold all of its sources: give the folder that it was built of.'
    : '';
  throw new Failure(`${sources.detail}${bundle}`, 2);
}

function entrypointOf({ options, config }: Subject): string {
  return options.entrypoint ?? config?.policy.entrypoint ?? ENTRYPOINT;
}

async function explainInput(subject: Subject, file: string): Promise<Report> {
  const text = await readText(file, '--input');
  let parsed: unknown;
  try {
    parsed = parseExact(text);
  } catch (error) {
    throw new Failure(`--input: ${file} is not JSON (${(error as Error).message})`);
  }
  const entrypoint = entrypointOf(subject);
  const wasm = await compile(subject, entrypoint);
  const told = await tell(subject, wasm, entrypoint, text, Date.now());
  return concealer(parsed)({ entrypoint, ...told });
}

async function explainRequest(subject: Subject, line: string): Promise<Report> {
  const { options, config } = subject;
  if (options.svid === undefined)
    throw new Failure('--svid: give the SPIFFE ID of the caller, spiffe://trust-domain/path');
  const entrypoint = entrypointOf(subject);
  const wasm = await compile(subject, entrypoint);
  const now = Date.now();
  const body = options.body?.startsWith('@') ? await readText(options.body.slice(1), '--body') : options.body;
  const { decision, filledIn } = await decideRequest(
    {
      line,
      svid: options.svid,
      ...(options.tokenClaims !== undefined && { claims: options.tokenClaims }),
      bound: options.bound === true,
      headers: options.header ?? [],
      ...(body !== undefined && { body }),
      contextExtensions: options.contextExtension ?? [],
    },
    { policy: wasm.policy, entrypoint, ...(config && { config }), now },
  );
  const { outcome, reason, detail, answer, policy } = decision;
  const status = answer.allowed ? undefined : answer.httpStatus;
  const notes = [];
  if (filledIn.length > 0) notes.push(`filled in for the token: ${filledIn.join(', ')}`);
  if (reason === 'token_missing')
    notes.push('give the token as --token-claims JSON, or --config of a server whose routes need none');
  const made = { decision: decisionOf(outcome, reason, await reasonLine(reason), detail, status) };
  if (policy === undefined) return { entrypoint, ...made, notes: [...notes, 'the policy was not asked'] };
  const asked = policy.entrypoint;
  const told = await tell(subject, wasm, asked, stringifyExact(policy.input), decision.at);
  return concealer(policy.input)({ entrypoint: asked, ...made, ...told, notes: [...notes, ...told.notes] });
}

async function explainDecision(subject: Subject, file: string): Promise<Report> {
  const logged = readLoggedDecision(
    await readText(file, '--decision'),
    file === '-' ? 'standard input' : file,
    subject.options.id,
  );
  const { reason = 'allowed', detail } = logged;
  const outcome = reason === 'allowed' ? 'allow' : 'deny';
  const made = { decision: decisionOf(outcome, reason, await reasonLine(reason), detail) };
  const entrypoint = subject.options.entrypoint ?? logged.entrypoint;
  if (entrypoint === undefined)
    return {
      entrypoint: entrypointOf(subject),
      ...made,
      notes: ['the policy was not asked'],
    };
  const wasm = await compile(subject, entrypoint);
  const text = inputText(logged);
  const told = await tell(subject, wasm, entrypoint, text, logged.at ?? Date.now());
  const folder = await readPolicyFolder(subject.folder, [entrypoint]);
  const notes = compareLogged(logged, wasm.policy, {
    entrypoint,
    ...(!isRefusal(folder) && { revision: folder.revision }),
  });
  return concealer(logged.input)({ entrypoint, ...made, ...told, notes: [...notes, ...told.notes] });
}

/** Compiles for the evaluator that serves, which refuses what the server would refuse. */
async function compile({ folder, sources, config }: Subject, entrypoint: string): Promise<WasmPolicy> {
  const entrypoints = [...new Set([entrypoint, ...(config?.policy.entrypoints ?? [])])];
  const compiled = await compileRego(sources, { entrypoints });
  if (isRefusal(compiled)) throw new Failure(compiled.detail, 2);
  const loaded = await loadWasm(compiled, entrypoints, config?.policy.allow_request_target_rewrite ?? false);
  if (isRefusal(loaded)) throw new Failure(`${folder}: ${loaded.detail}`, 2);
  return loaded;
}

/** Explains an input, and asks the evaluator that serves what it makes of it. */
async function tell(
  { sources, options }: Subject,
  wasm: WasmPolicy,
  entrypoint: string,
  input: string,
  now: number,
): Promise<Pick<Report, 'notes'> & { explanation: Explanation; wasm: NonNullable<Report['wasm']> }> {
  const mostFailures = options.all ? MOST_FAILURES : undefined;
  const explanation = await explainRego(sources, {
    entrypoint,
    input,
    now,
    ...(mostFailures !== undefined && { mostFailures }),
  });
  if (isRefusal(explanation)) throw new Failure(explanation.detail, 2);
  return { explanation, wasm: compare(explanation, wasm.value(entrypoint, input, now)), notes: [] };
}

function compare(explanation: Explanation, outcome: WasmOutcome): NonNullable<Report['wasm']> {
  if ('error' in outcome)
    return explanation.error ? { agrees: true } : { agrees: false, outcome: `an error (${outcome.error})` };
  if ('undefined' in outcome)
    return explanation.value || explanation.error
      ? { agrees: false, outcome: 'undefined' }
      : { agrees: true };
  const same = explanation.value && equalValues(parseValue(explanation.value.text), outcome.value);
  return same ? { agrees: true } : { agrees: false, outcome: formatValue(outcome.value) };
}

async function readText(file: string, option: string): Promise<string> {
  try {
    return file === '-' ? await readStream(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw new Failure(`${option}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
