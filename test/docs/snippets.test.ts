import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parser as promql } from '@prometheus-io/lezer-promql';
import { parseAllDocuments } from 'yaml';
import { parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problem.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { compileRego } from '../../src/rego/compiler.js';
import { librarySources } from '../support/library.js';
import { type Snippet, snippets } from './snippets.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** What a reader pastes into a shell; the README's own two commands are run by test/e2e/fresh-clone.test.ts. */
async function runShell({ text }: Snippet): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-docs-'));
  try {
    for (const part of [
      'package.json',
      'tsconfig.json',
      'tsconfig.build.json',
      'src',
      'proto',
      'policies',
      'examples',
      'dist',
    ])
      await cp(join(ROOT, part), join(folder, part), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await run('bash', ['-euo', 'pipefail', '-c', text], { cwd: folder, timeout: 120_000 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function checkPromql(text: string): void {
  const errors: string[] = [];
  promql.parse(text).iterate({
    enter: ({ type, from }) => void (type.isError && errors.push(text.slice(from))),
  });
  expect(errors).toEqual([]);
}

/** A filter of jq, over the decision that docs/decision-log.md shows: it has to be one that jq can run. */
async function runJq({ text }: Snippet): Promise<void> {
  const shown = all.find(({ page, language }) => page === 'docs/decision-log.md' && language === 'json')!;
  const running = run('jq', ['-c', text.trim()]);
  running.child.stdin!.end(shown.text);
  await running;
}

const jqIsHere = await run('jq', ['--version']).then(
  () => true,
  () => false,
);

/** What it means to run a block, by its language. A language that is not here fails the test. */
const RUN: { [language: string]: (snippet: Snippet) => void | Promise<void> } = {
  text: () => undefined, // pictures and output: nothing to run
  json: ({ text }) => void JSON.parse(text),
  yaml: ({ text }) => {
    if (text.startsWith('# countersign.yaml')) {
      const config = parseConfig(text, { file: 'countersign.yaml', env: {} });
      if (config instanceof ConfigError) throw config;
    } else {
      for (const document of parseAllDocuments(text)) expect(document.errors).toEqual([]);
      for (const [, expression] of text.matchAll(/^ +expr: (.*)$/gm)) checkPromql(expression!);
    }
  },
  rego: async ({ text }) => {
    const name = /^package (\S+)/m.exec(text)?.[1] ?? '';
    const rule = /^(?:default )?(\w+)/m.exec(
      text.slice(text.indexOf(name) + name.length).replace(/^(#|import).*$/gm, ''),
    )?.[1];
    const entrypoints = [`${name.replaceAll('.', '/')}/${rule}`];
    const library = text.includes('data.countersign') ? await librarySources() : [];
    const compiled = await compileRego([...library, { path: 'policy.rego', content: text }], { entrypoints });
    if (isRefusal(compiled)) throw new Error(compiled.detail);
  },
  promql: ({ text }) => checkPromql(text.trim()),
  jq: runJq,
  sh: runShell,
};

const all = await snippets();
const FRESH_CLONE = /^npm (ci|start|test)\b/;

describe('every code block of the documentation', () => {
  test.each(
    all
      .filter(({ text, language }) => !FRESH_CLONE.test(text) && (language !== 'jq' || jqIsHere))
      .map((snippet) => [`${snippet.page}:${snippet.line}`, snippet]),
  )(
    '%s does what it says',
    async (_place, snippet) => {
      const check = RUN[snippet.language];
      if (check === undefined) throw new Error(`nothing runs blocks of the language "${snippet.language}"`);
      await check(snippet);
    },
    150_000,
  );

  if (!jqIsHere) test.skip('the filters for jq (skipped: there is no jq on PATH)', () => undefined);

  test('the two commands of the README are run in a fresh clone, and nothing else is left out', () => {
    const left = all
      .filter(({ text }) => FRESH_CLONE.test(text))
      .map(({ page, text }) => [page, text.trim()]);
    expect(left).toEqual([
      ['README.md', 'npm ci && npm start'],
      ['README.md', 'npm test'],
    ]);
  });
});
