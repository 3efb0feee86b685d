import { readdir, readFile } from 'node:fs/promises';

const ROOT = new URL('../../', import.meta.url);

/** One fenced code block of a page. */
export interface Snippet {
  readonly page: string;
  /** Of its first line, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

/** Every code block of README, ARCHITECTURE, CHANGELOG and docs/, in the order of the pages. */
export async function snippets(): Promise<Snippet[]> {
  const docs = (await readdir(new URL('docs', ROOT), { recursive: true })).filter((file) =>
    file.endsWith('.md'),
  );
  const pages = [
    'README.md',
    'ARCHITECTURE.md',
    'CHANGELOG.md',
    ...docs.sort().map((file) => `docs/${file}`),
  ];
  const found = await Promise.all(
    pages.map(async (page) => blocks(page, await readFile(new URL(page, ROOT), 'utf8'))),
  );
  return found.flat();
}

function blocks(page: string, markdown: string): Snippet[] {
  return [...markdown.matchAll(/^( *)```(\S*)[^\n]*\n([\s\S]*?)^ *```$/gm)].map((match) => ({
    page,
    line: markdown.slice(0, match.index).split('\n').length + 1,
    language: match[2]!,
    text: match[3]!.replaceAll(new RegExp(`^${match[1]}`, 'gm'), ''),
  }));
}
