import { z } from 'zod';
import { BUNDLE_ALGORITHMS } from './algorithms.js';
import { check, checkAcross, duration, matching, path } from './checks.js';
import { bundleUrlFault } from './location.js';
import { policyFaults } from './policy-checks.js';
import type { Fault } from './problem.js';

const entrypoint = matching(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/, {
  wrong: 'is not an entrypoint',
  mend: 'write package and rule with slashes: mesh/authz/decision',
});

/** Also the name of a folder, where bundles are kept. */
const name = matching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, {
  wrong: 'is not a name',
  mend: 'write up to 64 letters, digits, dots, hyphens and underscores, a letter or digit first',
});

const keyId = matching(/^[\x21-\x7e]{1,255}$/, {
  wrong: 'is not the id of a key',
  mend: 'write up to 255 visible ASCII characters',
});

const algorithm = z
  .string()
  .check(check(algorithmFault, true))
  .meta({ enum: BUNDLE_ALGORITHMS })
  .pipe(z.enum(BUNDLE_ALGORITHMS))
  .describe(
    'The one algorithm that the key is for. HS256, HS384 and HS512 are shared secrets: who can verify can sign.',
  );

function algorithmFault(text: string): Fault | undefined {
  if ((BUNDLE_ALGORITHMS as readonly string[]).includes(text)) return undefined;
  return {
    wrong: 'is no algorithm that bundles may be signed with',
    mend: `write one of ${BUNDLE_ALGORITHMS.join(', ')}`,
  };
}

const key = z.strictObject({
  algorithm,
  key: path('A public key or a certificate in PEM; for HS256, HS384 and HS512 the secret, all bytes of it.'),
  scope: z.string().optional().describe('What a signature has to say in its claim scope.'),
});

const service = z.strictObject({
  url: z
    .string()
    .check(check(bundleUrlFault))
    .describe("Where the service is: an https URL, before which the bundle's resource is put."),
  ca: path('The roots that the server is trusted by, PEM, in place of those of Node.').optional(),
  timeout: duration('100ms', '10m', '30s', 'For one answer, its body included.'),
  credentials: z
    .strictObject({
      bearer: z
        .strictObject({ token_path: path('A file with the token, read at each request.') })
        .optional()
        .describe('A token for the Authorization header.'),
      client_tls: z
        .strictObject({
          cert: path('A file with the certificate chain, PEM, read at each connection.'),
          private_key: path('A file with its key, PEM.'),
        })
        .optional()
        .describe('A certificate for TLS.'),
    })
    .optional()
    .describe('What the server knows this one by.'),
});

const polling = z
  .strictObject({
    min_delay: duration('100ms', '1d', '60s', 'The least time between two requests.'),
    max_delay: duration('100ms', '1d', '120s', 'The most.'),
    long_polling_timeout: duration(
      '0s',
      '1h',
      '0s',
      'How long the server may hold a request back until there is something new; 0s turns that off.',
    ),
  })
  .prefault({})
  .describe('How often the service is asked.');

const signing = z
  .strictObject({
    keyid: keyId.optional().describe('The key, out of policy.keys, whatever the signature says.'),
    scope: z.string().optional().describe("In place of the key's scope."),
    exclude_files: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Data files that need no signature, as paths in the bundle; * stands for anything but a slash.',
      ),
  })
  .optional()
  .describe('That the bundle has to be signed, and how.');

const bundle = z.strictObject({
  path: path('A bundle file (.tar.gz), watched.').optional(),
  service: name.optional().describe('Out of policy.services: where the bundle is fetched.'),
  resource: z
    .string()
    .min(1)
    .optional()
    .describe("The path behind the service's URL. Default bundles/ and the name of the bundle."),
  polling,
  size_limit_bytes: z
    .int()
    .min(1024)
    .max(1_073_741_824)
    .default(268_435_456)
    .describe('A larger bundle is refused, packed or unpacked.'),
  persist: z
    .boolean()
    .default(false)
    .describe('Whether the last good one is kept in policy.persistence_directory, for a restart.'),
  signing,
});

const shadow = z
  .strictObject({
    path: path('A folder of .rego files, or a bundle file.').optional(),
    bundle: name.optional().describe('One of policy.bundles, which then has no part in decisions.'),
    entrypoint: entrypoint.optional().describe('Asked in place of the entrypoint that decided.'),
    share: z.number().min(0).max(1).default(1).describe('The share of requests that it is asked about.'),
  })
  .optional()
  .describe('A policy that is asked beside the one in force, and never answers.');

/** `policy`: what is decided, where it comes from, and who may change it. */
export const policySchema = z
  .strictObject({
    path: path('The policy: a folder of .rego files, or a compiled bundle (.tar.gz). Watched.').optional(),
    bundles: z
      .record(name, bundle)
      .optional()
      .describe('The policy as OPA bundles, by name, in place of path.'),
    services: z.record(name, service).optional().describe('Where bundles are fetched, by name.'),
    keys: z.record(keyId, key).optional().describe('Keys that bundles are verified with, by id.'),
    signing: z
      .strictObject({
        required: z
          .boolean()
          .optional()
          .describe('Whether an unsigned policy is refused. By default, as soon as there is a key.'),
      })
      .optional()
      .describe('Whether signatures are needed.'),
    persistence_directory: path('A folder for bundles that are kept.').optional(),
    entrypoint: entrypoint
      .default('mesh/authz/decision')
      .describe('The rule that decides, as package/rule with slashes.'),
    entrypoints: z
      .array(entrypoint)
      .default([])
      .describe("Further rules, one of which a route may choose in Envoy's own configuration."),
    allow_request_target_rewrite: z
      .boolean()
      .default(false)
      .describe("Whether a policy's headers may set :path, :authority and host."),
    proto_descriptor: path(
      'The gRPC services whose messages policies see in parsed_body: a descriptor set, as protoc --include_imports --descriptor_set_out writes it.',
    ).optional(),
    shadow,
  })
  .check(checkAcross(policyFaults))
  .describe('What is decided: Rego.');
