import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { Command, Option } from 'commander';
import { parseDuration } from '../config/duration.js';
import { TARGETS, type Revocation, type Target } from '../revocation/types.js';
import { readConfig } from './config.js';
import { Failure } from './failure.js';
import { askAdmin, type AdminPlace } from './revoke/ask-admin.js';
import { describeEntry, describeKept } from './revoke/describe.js';

interface RevokeOptions {
  issuer?: string;
  subject?: string;
  client?: string;
  session?: string;
  jti?: string;
  spiffeId?: string;
  expires?: string;
  issuedBefore?: string;
  reason?: string;
  by: string;
  list?: boolean;
  lift?: string;
  config?: string;
  admin?: string;
  tokenFile?: string;
  format: 'text' | 'json';
}

/** `countersign revoke --issuer … [-c FILE | --admin URL --token-file FILE]` */
export function revokeCommand(): Command {
  return new Command('revoke')
    .description('take back what was granted: refuse tokens and workloads from now on, at a running server')
    .option('--issuer <iss>', 'every token of this issuer; or, beside the others, whose they are')
    .option('--subject <sub>', 'tokens of this subject, or that it acts with')
    .option('--client <id>', 'tokens of this client')
    .option('--session <sid>', 'tokens of this session')
    .option('--jti <id>', 'one token')
    .option('--spiffe-id <id>', 'a workload; all below spiffe://domain/path/*; all of spiffe://domain')
    .option('--issued-before <time>', 'only tokens issued before: now, or a date (2030-01-31T12:00:00Z)')
    .option('--expires <time>', 'when that ends: a duration from now (1h), or a date')
    .option('--reason <text>', 'for people')
    .option('--by <name>', 'who asks for it, for people', whoAmI())
    .option('--list', 'show what is refused instead')
    .option('--lift <id>', 'let in again what an entry refused')
    .option('-c, --config <file>', "the server's configuration: where it listens, and its secret")
    .option('--admin <url>', 'where the server listens, in place of what the configuration says')
    .option('--token-file <file>', 'a file with its secret, in place of what the configuration says')
    .addOption(new Option('-f, --format <format>', 'of the answer').choices(['text', 'json']).default('text'))
    .action(async (options: RevokeOptions) => {
      const place = await placeOf(options);
      if (options.list) return list(place, options);
      if (options.lift !== undefined) return lift(place, options.lift, options);
      return revoke(place, options);
    });
}

async function revoke(place: AdminPlace, options: RevokeOptions): Promise<void> {
  const entry = entryOf(options, Date.now());
  if (!TARGETS.some((name) => entry[name] !== undefined))
    throw new Failure('name what to refuse: --issuer, --subject, --client, --session, --jti, --spiffe-id', 2);
  const answer = (await askAdmin(place, 'POST', '/revocations', entry)) as {
    entries: Revocation[];
    kept: 'shared' | 'here';
  };
  const [made] = answer.entries;
  print(options, answer, [
    `refused from now on: ${describeEntry(made!)}`,
    describeKept(answer.kept),
    `take it back with: countersign revoke --lift ${made!.id}`,
  ]);
}

async function list(place: AdminPlace, options: RevokeOptions): Promise<void> {
  const entries: Revocation[] = [];
  for (;;) {
    const after = entries.at(-1)?.id;
    const page = `/revocations?limit=1000${after === undefined ? '' : `&after=${after}`}`;
    const answer = (await askAdmin(place, 'GET', page)) as { entries: Revocation[] };
    entries.push(...answer.entries);
    if (answer.entries.length < 1000) break;
  }
  const lines = entries.map((entry) => `${entry.id}  ${describeEntry(entry)}  (${entry.source})`);
  print(options, { entries }, lines.length > 0 ? lines : ['nothing is revoked']);
}

async function lift(place: AdminPlace, id: string, options: RevokeOptions): Promise<void> {
  const answer = await askAdmin(place, 'DELETE', `/revocations/${encodeURIComponent(id)}`);
  print(options, answer as object, [`entry ${id} refuses nothing any more`]);
}

function print({ format }: RevokeOptions, answer: object, lines: readonly string[]): void {
  process.stdout.write(format === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : `${lines.join('\n')}\n`);
}

type Said = { [name in Target | 'reason' | 'by']?: string } & {
  issued_before?: string | number;
  expires?: string | number;
};

function entryOf(options: RevokeOptions, now: number): Said {
  const { issuer, subject, client, session, jti, spiffeId, reason, by, issuedBefore, expires } = options;
  const said: Said = { by };
  Object.assign(said, defined({ issuer, subject, client, session, jti, spiffe_id: spiffeId, reason }));
  // A token that is issued in this very second may say so without a fraction: it is to be refused as well.
  if (issuedBefore !== undefined)
    said.issued_before = issuedBefore === 'now' ? Math.ceil(now / 1000) : issuedBefore;
  if (expires !== undefined) {
    const span = parseDuration(expires);
    said.expires = span === undefined ? expires : Math.ceil((now + span) / 1000);
  }
  return said;
}

function defined(values: { readonly [name: string]: string | undefined }): { [name: string]: string } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [name: string]: string;
  };
}

async function placeOf({ config: file, admin, tokenFile }: RevokeOptions): Promise<AdminPlace> {
  const listen = file === undefined ? undefined : (await readConfig(file)).listen;
  const url = admin ?? (listen && listen.admin !== 'off' ? `http://${listen.admin}` : undefined);
  const secret = tokenFile ?? listen?.admin_token_file;
  if (url === undefined)
    throw new Failure(
      'say where the server is: -c with its configuration, or --admin http://127.0.0.1:8181',
      2,
    );
  if (secret === undefined)
    throw new Failure('give the secret: --token-file, or listen.admin_token_file in the configuration', 2);
  const text = await readFile(secret, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Failure(`${secret} cannot be read (${error.code})`, 2);
  });
  return { url, secret: text.trim() };
}

function whoAmI(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown'; // a user without a name, as containers have
  }
}
