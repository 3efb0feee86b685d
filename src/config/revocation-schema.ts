import { z } from 'zod';
import { checkAcross, isMapping, path } from './checks.js';
import type { Fault } from './problem.js';
import { signalsSchema } from './signals-schema.js';
import { storeSchema } from './store-schema.js';

/** Two places that could differ. */
function* twoPlaces(revocation: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(revocation) || revocation.store === undefined) return;
  if (revocation.persistence_directory === undefined) return;
  yield [
    ['persistence_directory'],
    { wrong: 'is given beside store, which keeps the same', mend: 'leave one of the two out' },
  ];
}

/** An event that is acknowledged is told once. */
function* keptNowhere(revocation: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(revocation) || revocation.signals === undefined) return;
  if ((revocation.persistence_directory ?? revocation.store) !== undefined) return;
  yield [
    ['signals'],
    {
      wrong: 'is given, and no place where what is received is kept',
      mend: 'add persistence_directory or store',
    },
  ];
}

/** `revocation`: what was taken back before its time. */
export const revocationSchema = z
  .strictObject({
    file: path('A list of what is revoked, one JSON object a line, watched for changes.').optional(),
    persistence_directory: path(
      'A folder where what a running server is told is kept, for one server without a store. It is made where it is not there.',
    ).optional(),
    store: storeSchema
      .optional()
      .describe('Where what one replica is told is kept, and heard by all that share it.'),
    signals: signalsSchema
      .optional()
      .describe('Security events of OpenID Shared Signals, pushed to this server (RFC 8935).'),
    max_entries: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(100_000)
      .describe('The most entries that are kept. More are refused: none ever makes room for another.'),
  })
  .check(checkAcross(twoPlaces))
  .check(checkAcross(keptNowhere))
  .prefault({})
  .describe('What was taken back: tokens, subjects, sessions, clients, issuers and workloads.');
