import { readFile, stat } from 'node:fs/promises';
import type { Config } from '../../config/schema.js';
import { createWatch } from '../../policy/watch.js';
import {
  createRevocationAuthority,
  NOT_KEPT,
  type RevocationAnswer,
  type RevocationAuthority,
  type RevocationQuestion,
} from '../../revocation/authority.js';
import { SHARDS } from '../../revocation/book.js';
import { createRevocationCheck, type RevocationStatus } from '../../revocation/check.js';
import { createDesk, type DeskOptions } from '../../revocation/desk.js';
import { readEntryLines } from '../../revocation/lines.js';
import { createLogStore } from '../../revocation/log-store.js';
import type { Revocation, RevocationCheck } from '../../revocation/types.js';
import { Failure } from '../failure.js';
import { fileHints, fingerprint } from '../policy-files.js';
import type { EnginePart, PartOptions } from './part.js';
import { startSignals } from './signals.js';
import { sharedRevocations } from './valkey.js';

export interface RevocationPart extends EnginePart {
  /** Absent where nothing is configured that could revoke anything: then it costs nothing. */
  readonly check?: RevocationCheck;
  /** What operators say and ask over `listen.admin`. */
  readonly desk: ReturnType<typeof createDesk>;
  status(): RevocationStatus | undefined;
  /** Security events so far, by what became of them; undefined where none are received. */
  signals(): ReadonlyMap<string, number> | undefined;
  /** Whether requests are decided: not before the list was read, and not with one that is too old. */
  ready(): boolean;
}

/** Bytes. 100,000 entries with reasons take about 15 MB. */
const MOST_FILE_BYTES = 64 * 1024 * 1024;

/** Milliseconds between two looks at the file where the system gives no hint: a revocation may take a second. */
const FILE_POLL = 250;
/** Milliseconds for which the file has to stay as it is before it is read. */
const FILE_SETTLE = 50;

/**
 * The list of what was revoked, and the stage that asks it.
 *
 * @throws Failure for a list that the operator has to mend
 */
export async function startRevocation(config: Config, options: PartOptions): Promise<RevocationPart> {
  const { file, persistence_directory: folder, store, signals } = config.revocation;
  const deskOf = (ask: DeskOptions['ask']) =>
    createDesk({
      ask,
      kept: store ? 'shared' : 'here',
      longestLife: (issuer) => longestLife(config, issuer),
      now: options.now,
    });
  if ((file ?? folder ?? store) === undefined) return nothing(deskOf(() => NOT_KEPT));

  const { hub } = options;
  let made: RevocationAuthority | undefined;
  const authority = () => (made ??= createAuthority(config, options));
  const shards = Array.from({ length: SHARDS }, (_, shard) =>
    hub.feed<readonly Revocation[]>(`revocations/${shard}`, () => authority().shards[shard]!),
  );
  const status = hub.feed<RevocationStatus>('revocations/status', () => authority().status);
  const ask = hub.service<RevocationQuestion, RevocationAnswer>(
    'revocations',
    () => (question) => authority().answer(question),
  );
  const check = createRevocationCheck({ shards, status, maxStale: store?.max_stale ?? 0 });
  await Promise.all([status, ...shards].map((feed) => feed.start()));
  const fatal = made?.fatal();
  if (fatal !== undefined) throw new Failure(`revocation: ${fatal}`);
  const watch = made && file !== undefined ? await watchFile(file, made) : undefined;
  // In the process that keeps the list, and in no other: an address can be listened on once.
  const received =
    made && signals
      ? await startSignals(signals, options, { ask, longestLife: (issuer) => longestLife(config, issuer) })
      : undefined;
  if (received) options.log.info({ address: received.address }, 'receiving security events');

  return {
    check,
    desk: deskOf(ask),
    status: () => status.latest(),
    signals: () => received?.counts(),
    ready: () => check.available(options.now()),
    checks() {
      const { loaded, unreachableSince, fileError, storeError } = status.latest() ?? { loaded: false };
      const detail = [fileError, storeError].filter((error) => error !== undefined).join('; ');
      return {
        revocations: {
          ok: loaded && unreachableSince === undefined && detail === '',
          ...(detail !== '' && { detail }),
        },
        ...received?.checks(),
      };
    },
    standings: () => [
      ['the file of revocations', status.latest()?.fileError],
      ['the store of revocations', status.latest()?.storeError],
      ...(received?.standings() ?? []),
    ],
    async stop() {
      watch?.stop();
      await received?.stop();
      for (const feed of [status, ...shards]) feed.stop();
      await made?.stop();
    },
  };
}

function nothing(desk: RevocationPart['desk']): RevocationPart {
  return {
    desk,
    status: () => undefined,
    signals: () => undefined,
    ready: () => true,
    checks: () => ({}),
    standings: () => [],
    stop() {},
  };
}

/**
 * The longest that a token which was issued by now may be accepted, by the issuer's own bound or by the largest. One that
 * an issuer is asked about need not say when it was issued, and so nobody knows of it.
 */
function longestLife({ token }: Config, issuer: string | undefined): number {
  const named = token.issuers.filter((one) => one.issuer === issuer);
  const meant = named.length > 0 ? named : token.issuers;
  if (meant.some(({ introspection }) => introspection !== undefined)) return Infinity;
  const lives = meant.map(
    // Its iat may lie as far ahead as the skew allows, and its exp is over as much later.
    ({ max_lifetime: life, clock_skew: skew }) => life + 2 * skew,
  );
  return Math.max(3_600_000, ...lives);
}

function createAuthority(config: Config, { log, now }: PartOptions): RevocationAuthority {
  const { file, max_entries: maxEntries, persistence_directory: folder, store } = config.revocation;
  const onTorn = () =>
    log.warn({ folder }, 'the last line of the log of revocations was cut short; it was never confirmed');
  return createRevocationAuthority({
    readFile: file === undefined ? undefined : () => readList(file, maxEntries, now()),
    store: store
      ? sharedRevocations(store, maxEntries, now)
      : folder === undefined
        ? undefined
        : createLogStore({ folder, maxEntries, now, onTorn }),
    now,
    onAudit: ({ action, entry, from }) => log.info({ audit: `revocation ${action}`, from, entry }, action),
  });
}

/** @throws Error that says what is wrong with the list, line by line */
async function readList(path: string, maxEntries: number, now: number): Promise<Map<string, Revocation>> {
  const text = await readText(path);
  return readEntryLines(text, path, { source: 'file', now, maxEntries });
}

async function readText(path: string): Promise<string> {
  try {
    const found = await stat(path);
    // A device or a pipe may never end.
    if (!found.isFile()) throw new Error(`${path} is not a file; write one entry on a line`);
    if (found.size > MOST_FILE_BYTES) throw new Error(`${path} is larger than ${MOST_FILE_BYTES} bytes`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new Error(`${path}: there is no such file; make an empty one where nothing is revoked`, {
        cause: error,
      });
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw new Error(`${path} is not UTF-8; save it as UTF-8`, { cause: error });
    throw code === undefined
      ? new Error(message)
      : new Error(`${path} cannot be read (${code})`, { cause: error });
  }
}

async function watchFile(path: string, authority: RevocationAuthority): Promise<{ stop(): void }> {
  const watch = createWatch({
    fingerprint: () => fingerprint(path),
    // What is wrong stands in the status, and the last good list stays in force.
    changed: () => authority.readFile().catch(() => {}),
    hints: (onHint) => fileHints(path, onHint),
    poll: FILE_POLL,
    settle: FILE_SETTLE,
  });
  await watch.start();
  // What was written between the first reading and the first look.
  await watch.force();
  return watch;
}
