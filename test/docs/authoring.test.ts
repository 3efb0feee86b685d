import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folderOf, removeFolders, runCli } from '../cli/run-cli.js';

afterAll(removeFolders);

const page = await readFile(new URL('../../docs/authoring.md', import.meta.url), 'utf8');
const shown = [...page.matchAll(/^```text\n([\s\S]*?)^```$/gm)].map(([, text]) => text!);

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The arguments of the one command in a block, as the shell splits them. */
function argumentsOf(block: string): string[] {
  const command = block.slice(block.indexOf('countersign -- ') + 'countersign -- '.length);
  return [...command.replaceAll('\\\n', ' ').matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, bare]) => quoted ?? bare!,
  );
}

/** Without what differs from run to run. */
const lines = (text: string) =>
  text
    .replace(/\(\d+\.\d ms\)/g, '')
    .trimEnd()
    .split('\n');

test('docs/authoring.md shows what check says of a misspelt name', async () => {
  const block = shown.find((text) => text.includes('spifee_id'))!;
  const [head, , rule] = lines(block);
  const row = Number(/:(\d+):/.exec(head!)![1]);
  const above = ['package mesh.authz', '', 'default decision := false'];
  const folder = await folderOf({
    'mesh/authz.rego': [...above, ...Array<string>(row - 1 - above.length).fill(''), rule, ''].join('\n'),
  });
  expect((await runCli(['check', folder])).stdout).toBe(`${block}1 file: 1 error\n`);
});

test('docs/authoring.md shows what test says of a test that fails', async () => {
  const block = shown.find((text) => text.includes('FAIL'))!;
  const folder = await folderOf({});
  await cp(fileURLToPath(new URL('../../policies/mesh', import.meta.url)), join(folder, 'mesh'), {
    recursive: true,
  });
  const tests = join(folder, 'mesh/authz_test.rego');
  await writeFile(tests, (await readFile(tests, 'utf8')).replace('["orders:read"]', '["orders:red"]'));
  const { code, stdout } = await runCli(['test', folder]);
  expect(code).toBe(2);
  expect(lines(stdout)).toEqual(expect.arrayContaining(lines(block)));
});

test('docs/authoring.md has a line for every warning', async () => {
  const source = await Promise.all(
    ['warn.go', 'never.go'].map((file) =>
      readFile(new URL(`../../src/rego/opa/${file}`, import.meta.url), 'utf8'),
    ),
  );
  const codes = new Set([...source.join('').matchAll(/warning\(\s*"(\w+)"/g)].map(([, code]) => code!));
  const listed = [...page.matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`(\w+)`/g)].map(([, code]) => code!),
  );
  expect(new Set(listed)).toEqual(codes);
});

test('docs/authoring.md shows what explain answers', async () => {
  const [, block, answer] = /```sh\n([^`]*explain --policy[^`]*)```\n\n```text\n([^`]*)```/.exec(page)!;
  const { stdout } = await runCli(argumentsOf(block!), ROOT);
  expect(stdout.startsWith(answer!)).toBe(true);
});
