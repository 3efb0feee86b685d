import { readFile } from 'node:fs/promises';
import { isRefusal } from '../../src/errors/refusal.js';
import { librarySources, policyFrom, shippedSources } from '../support/library.js';

const page = await readFile(new URL('../../docs/library.md', import.meta.url), 'utf8');
const sources = await librarySources();

/** Every annotated package or rule: `title` and `description`, and the line that they belong to. */
const annotated = sources.flatMap(({ content }) =>
  [...content.matchAll(/# METADATA\n# title: (.*)\n# description: ?\|?(.*(?:\n# .*)*)\n(.*)/g)].map(
    ([, title, description, line]) => ({
      title: title!,
      description: description!.replaceAll(/\n#\s*/g, ' ').trim(),
      line: line!,
    }),
  ),
);
const rules = annotated.filter(({ line }) => !line.startsWith('package '));
const rows = [...page.matchAll(/^\| `([a-z_]+\(.*?\))` \| (.*) \| `(.*)` \|$/gm)];

test('every rule of the library is annotated, and is on the page with its own words', () => {
  const defined = sources.flatMap(({ content }) =>
    [...content.matchAll(/^([a-z][a-z_]*)\(/gm)].map(([, name]) => name!),
  );
  expect(new Set(rules.map(({ title }) => title.split('(')[0]))).toEqual(new Set(defined));
  expect(rows.map(([, title, description]) => [title, description])).toEqual(
    expect.arrayContaining(rules.map(({ title, description }) => [title, description])),
  );
  expect(rows).toHaveLength(rules.length);
});

test('a title has the arguments that the rule has', () => {
  for (const { title, line } of rules) {
    const [, name, args] = /^(\w+)\((.*)\)$/.exec(title)!;
    expect(line).toMatch(new RegExp(`^${name}\\(`));
    expect(args!.split(', ')).toHaveLength(/\((.*?)\)/.exec(line)![1]!.split(', ').length);
  }
});

test('every package has its heading', () => {
  for (const { title, line } of annotated.filter(({ line }) => line.startsWith('package ')))
    expect(page).toContain(`\n## ${title}: \`${line.slice('package '.length)}\`\n`);
});

test('every example holds, in Wasm', async () => {
  const packages = sources.map(({ content }) => /^package (\S+)/m.exec(content)![1]!);
  const examples = rows.map(([, , , example]) => example!);
  const content = [
    'package example',
    ...packages.map((name) => `import data.${name}`),
    ...examples.map((example, index) => `held contains ${index} if ${example}`),
    `decision := {"allowed": true, "reasons": [format_int(i, 10) | some i in held]}`,
  ].join('\n\n');
  const policy = await policyFrom([...sources, { path: 'example.rego', content }], ['example/decision']);
  const result = policy.evaluate('example/decision', {}, 0);
  if (isRefusal(result)) throw new Error(result.detail);
  const held = new Set(result.reasons.map(Number));
  expect(examples.filter((_example, index) => !held.has(index))).toEqual([]);
});

test('every worked policy has its row, with its title and its risk', async () => {
  const worked = (await shippedSources()).filter(({ path }) => /^examples\/.*\.rego$/.test(path));
  expect(worked.length).toBeGreaterThanOrEqual(7);
  for (const { path, content } of worked) {
    const head = content.slice(0, content.indexOf('\npackage ')).replaceAll(/\n#\s*/g, ' ');
    const title = /# title: (.*)/.exec(content)![1]!;
    const risk = /It answers (NHI.*?)\.\s*$/.exec(head)![1]!;
    expect(page).toContain(`(../policies/${path}) | ${title} | ${risk} |`);
  }
});
