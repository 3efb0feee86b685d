import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runCli } from '../cli/run-cli.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const page = await readFile(new URL('../../docs/authoring.md', import.meta.url), 'utf8');

/** The arguments of the one command in a block, as the shell splits them. */
function argumentsOf(block: string): string[] {
  const command = block.slice(block.indexOf('countersign -- ') + 'countersign -- '.length);
  return [...command.replaceAll('\\\n', ' ').matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, bare]) => quoted ?? bare!,
  );
}

describe('docs/authoring.md', () => {
  test('shows what explain answers', async () => {
    const [, block, answer] = /```sh\n([^`]*explain --policy[^`]*)```\n\n```text\n([^`]*)```/.exec(page)!;
    const { stdout } = await runCli(argumentsOf(block!), ROOT);
    expect(stdout.startsWith(answer!)).toBe(true);
  });
});
