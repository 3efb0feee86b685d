import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../src/rego/opa/build.mjs', import.meta.url));

function runWithoutGo(path: string, ...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, ...args], { env: { PATH: path } }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr });
    });
  });
}

describe('the build script, where Go is absent', () => {
  let empty: string;

  beforeAll(async () => {
    empty = await mkdtemp(join(tmpdir(), 'no-go-'));
  });

  afterAll(() => rm(empty, { recursive: true }));

  test('says that the check was skipped, and fails nothing', async () => {
    expect(await runWithoutGo(empty, '--check')).toEqual({
      code: 0,
      output: expect.stringMatching(/^skipped: Go \d+\.\d+(\.\d+)? needed, found no Go\n$/) as string,
    });
  });

  test('cannot build', async () => {
    expect(await runWithoutGo(empty)).toEqual({
      code: 1,
      output: expect.stringMatching(/^Go \d+\.\d+(\.\d+)? needed, found no Go\n$/) as string,
    });
  });
});
