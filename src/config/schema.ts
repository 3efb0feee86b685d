import { z } from 'zod';
import { brokerFaults, brokerSchema } from './broker-schema.js';
import { checkAcross, duration, isMapping, matching } from './checks.js';
import { identitySchema } from './identity-schema.js';
import { clientFaults, listenSchema } from './listen-schema.js';
import { policySchema } from './policy-schema.js';
import type { Fault } from './problem.js';
import { revocationSchema } from './revocation-schema.js';
import { tokenSchema } from './token-schema.js';
import { workers } from './workers-schema.js';

const pointer = matching(/^\/(input|result)(\/([^~/]|~[01])+)+$/, {
  wrong: 'is not a JSON pointer into the event',
  mend: 'start it with /input/ or /result/, as in /input/token/claims/email',
});

const decisionLog = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Whether every decision is logged.'),
    include_body: z
      .boolean()
      .default(false)
      .describe("Whether the request's body is part of the logged input."),
    mask: z
      .array(pointer)
      .default([])
      .describe('JSON pointers (RFC 6901) to what is masked besides tokens and cookies, which always are.'),
  })
  .prefault({})
  .describe("The decision log, with OPA's event fields.");

const log = z
  .strictObject({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
      .default('info')
      .describe("The least severity that the server's own log shows."),
  })
  .prefault({})
  .describe("The server's own log.");

function* oneTokenInAuthorization(config: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(config) || !isMapping(config.identity) || !isMapping(config.identity.jwt_svid)) return;
  if (config.identity.jwt_svid.header !== 'authorization') return;
  if (isMapping(config.token) && config.token.mode === 'off') return;
  yield [
    ['identity', 'jwt_svid', 'header'],
    {
      wrong: 'is where access tokens are, while token.mode is not off',
      mend: 'give JWT-SVIDs a header of their own, or set token.mode to off',
    },
  ];
}

/** The whole file: YAML's values in, {@link Config} out, with paths not yet resolved. */
export const configSchema = z
  .strictObject({
    listen: listenSchema,
    identity: identitySchema,
    token: tokenSchema,
    revocation: revocationSchema,
    workers,
    policy: policySchema,
    broker: brokerSchema.optional(),
    decision_log: decisionLog,
    log,
    shutdown_grace: duration('0s', '1h', '10s', 'How long calls in flight may take to finish after SIGTERM.'),
  })
  .check(checkAcross(oneTokenInAuthorization))
  .check(checkAcross(clientFaults))
  .check(checkAcross(brokerFaults))
  .meta({ title: 'Countersign configuration', description: 'The file that countersign serve -c reads.' });

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/**
 * A configuration that was checked, with every default filled in. Its names are those of the file, so that
 * there is one vocabulary; durations are milliseconds; all paths are absolute, so that a `jwks` starting
 * with `/` is a file.
 */
export type Config = DeepReadonly<z.output<typeof configSchema>>;

/** One entry of `token.issuers`. */
export type IssuerConfig = Config['token']['issuers'][number];

/** One of `broker.servers`. */
export type BrokerServerConfig = NonNullable<Config['broker']>['servers'][string];

/** One of `policy.bundles`, and of `policy.services`. */
export type BundleConfig = NonNullable<Config['policy']['bundles']>[string];
export type BundleServiceConfig = NonNullable<Config['policy']['services']>[string];
