import { appendFile, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { startRevocation, type RevocationPart } from '../../src/cli/engine/revocation.js';
import { Failure } from '../../src/cli/failure.js';
import type { Config } from '../../src/config/schema.js';
import { localHub } from '../../src/feed/feed.js';
import { eventually } from '../e2e/eventually.js';
import { codeOf, frontend, token } from '../revocation/support.js';

let folder: string;
let part: RevocationPart | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-revocation-'));
});
afterEach(async () => {
  await part?.stop();
  part = undefined;
  await rm(folder, { recursive: true, force: true });
});

const now = () => Date.now();
const start = async (file: string) =>
  (part = await startRevocation(
    { revocation: { file, max_entries: 100 }, token: { issuers: [] } } as unknown as Config,
    {
      hub: localHub,
      log: pino({ level: 'silent' }),
      now,
    },
  ));
const asked = () => codeOf(part!.check!.token(token(), frontend, now()));

test('a line that is added or taken out is in force within a second', async () => {
  const file = join(folder, 'r.jsonl');
  await writeFile(file, '# nothing yet\n');
  await start(file);
  expect(asked()).toBeUndefined();
  for (const [text, code] of [
    ['{"subject":"alice"}\n', 'token_revoked'],
    ['', undefined],
  ] as const) {
    const changed = now();
    await writeFile(file, text);
    await eventually(() => (asked() === code ? true : undefined));
    expect(now() - changed).toBeLessThan(1_000);
  }
});

test('a ConfigMap that is swapped as a whole is read anew', async () => {
  await writeFile(join(folder, 'one'), '');
  await writeFile(join(folder, 'two'), '{"subject":"alice"}');
  const file = join(folder, 'r.jsonl');
  await symlink('one', file);
  await start(file);
  await symlink('two', join(folder, 'next'));
  await rename(join(folder, 'next'), file);
  await eventually(() => (asked() === 'token_revoked' ? true : undefined));
});

test('a list that is wrong or gone leaves the last good one in force, and readiness says why', async () => {
  const file = join(folder, 'r.jsonl');
  await writeFile(file, '{"subject":"alice"}\n');
  await start(file);
  const told = () => part!.checks().revocations;
  expect(told()).toEqual({ ok: true });
  await appendFile(file, '{"subjet":"bob"}\n');
  await eventually(() => (told()?.ok === false ? true : undefined));
  expect(told()?.detail).toMatch(/r\.jsonl:2: subjet: is no member of an entry; use /);
  expect(asked()).toBe('token_revoked');
  await unlink(file);
  await eventually(() => (told()?.detail?.includes('there is no such file') ? true : undefined));
  expect(asked()).toBe('token_revoked');
  await writeFile(file, '');
  await eventually(() => (told()?.ok && asked() === undefined ? true : undefined));
});

test.each([
  ['{"subject":""}', /r\.jsonl:1: subject: is empty; write/],
  [undefined, /there is no such file; make an empty one/],
])('a first list of %j keeps the server from starting', async (text, message) => {
  const file = join(folder, 'r.jsonl');
  if (text !== undefined) await writeFile(file, text);
  const failure = await start(file).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Failure);
  expect((failure as Failure).message).toMatch(message);
});

test('without a list there is nothing to ask', async () => {
  part = await startRevocation({ revocation: { max_entries: 100 } } as unknown as Config, {
    hub: localHub,
    log: pino({ level: 'silent' }),
    now,
  });
  expect(part.check).toBeUndefined();
  expect(part.checks()).toEqual({});
});
