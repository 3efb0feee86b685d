import { z } from 'zod';
import { path } from './checks.js';

/** `revocation`: what was taken back before its time. */
export const revocationSchema = z
  .strictObject({
    file: path('A list of what is revoked, one JSON object a line, watched for changes.').optional(),
    persistence_directory: path(
      'A folder where what a running server is told is kept, for one server without a store. It is made where it is not there.',
    ).optional(),
    max_entries: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(100_000)
      .describe('The most entries that are kept. More are refused: none ever makes room for another.'),
  })
  .prefault({})
  .describe('What was taken back: tokens, subjects, sessions, clients, issuers and workloads.');
