import { z } from 'zod';
import { isMapping, matching } from './checks.js';
import type { Fault } from './problem.js';

/** `token.user`: a user's token beside the workload's. */
export const userTokenSchema = z
  .strictObject({
    header: matching(/^(?!authorization$|dpop$|cookie$|host$|x-countersign-)[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/, {
      wrong: 'is no name of a header for a token',
      mend: 'write it in small letters, as in x-user-token',
    })
      .default('x-user-token')
      .describe("The header that holds the user's token, with or without Bearer before it."),
    mode: z
      .enum(['required', 'optional', 'off'])
      .default('optional')
      .describe(
        "Whether a request needs a user's token. A route can say otherwise (countersign.user_token).",
      ),
  })
  .describe(
    'A second token, of the user for whom a workload asks: input.user_token. Not looked for where nothing is written.',
  );

/** Whether an entry of `token.issuers` is one whose tokens are taken for this. */
export function isAcceptedAs(entry: unknown, kind: 'access_token' | 'user_token'): boolean {
  if (!isMapping(entry)) return false;
  const { accepted_as: kinds = ['access_token'] } = entry;
  return !Array.isArray(kinds) || kinds.includes(kind);
}

/** A user's tokens need an issuer, and an issuer of such tokens is in vain where none are looked for. */
export function* userTokenFaults(token: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(token) || !Array.isArray(token.issuers)) return;
  const first = token.issuers.findIndex((entry) => isAcceptedAs(entry, 'user_token'));
  if (token.user !== undefined && first < 0)
    yield [
      ['user'],
      { wrong: 'has no issuer', mend: 'add accepted_as: [user_token] to the issuer of such tokens' },
    ];
  if (token.user === undefined && first >= 0)
    yield [
      ['issuers', first, 'accepted_as'],
      {
        wrong: "takes user's tokens, and none are looked for",
        mend: 'add token.user, or leave user_token out',
      },
    ];
}
