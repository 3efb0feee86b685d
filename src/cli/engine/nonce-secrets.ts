import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Feed } from '../../feed/feed.js';
import { Failure } from '../failure.js';

/** The secrets that nonces are made with, the one in force first, in base64. */
export type NonceSecrets = readonly string[];

/** Milliseconds between two looks at the file. */
const POLL = 5_000;

/** Bytes: as many as the HMAC's hash has. */
const SHORTEST = 32;

/**
 * One secret of its own for each start; or, where replicas have to know each other's nonces, the one in a file. When
 * that changes, nonces made with the one before are taken until they are too old.
 *
 * @throws Failure when the file cannot serve at the start; later on what was read last stays in force
 */
export function nonceSecrets(file: string | undefined): Feed<NonceSecrets> {
  let secrets: NonceSecrets = [file === undefined ? randomBytes(SHORTEST).toString('base64') : read(file)];
  const listeners = new Set<(state: NonceSecrets) => void>();
  let poll: NodeJS.Timeout | undefined;

  function look(): void {
    let fresh: string;
    try {
      fresh = read(file!);
    } catch {
      return;
    }
    if (fresh === secrets[0]) return;
    secrets = [fresh, secrets[0]!];
    for (const listener of listeners) listener(secrets);
  }

  return {
    latest: () => secrets,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    demand: async () => {},
    async start() {
      if (file === undefined || poll) return;
      poll = setInterval(look, POLL);
      poll.unref();
    },
    stop() {
      clearInterval(poll);
    },
  };
}

function read(file: string): string {
  let bytes: Buffer;
  try {
    bytes = Buffer.from(readFileSync(file, 'utf8').trim());
  } catch (error) {
    throw new Failure(
      `token.dpop.nonce_secret: ${file} cannot be read (${String((error as NodeJS.ErrnoException).code)}); write ${SHORTEST} random bytes or more into it, in base64`,
    );
  }
  if (bytes.length < SHORTEST)
    throw new Failure(
      `token.dpop.nonce_secret: ${file} is shorter than ${SHORTEST} bytes; write ${SHORTEST} random bytes or more into it, in base64`,
    );
  return bytes.toString('base64');
}
