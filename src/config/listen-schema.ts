import { z } from 'zod';
import { check, checkAcross, duration, isMapping, matching, path } from './checks.js';
import { isFault, parseListenAddress } from './listen-address.js';
import type { Fault } from './problem.js';
import { workloadId, workloadIdPattern } from './spiffe-id-schema.js';
import { connectionAge } from './workers-schema.js';

const tls = z
  .strictObject({
    workload_api: z
      .literal(true)
      .optional()
      .describe("Whether this server's own X.509-SVID comes from the Workload API."),
    spiffe_id: workloadId
      .optional()
      .describe('With workload_api: which of several SVIDs is shown. The first where nothing is written.'),
    certificate: path(
      'In place of workload_api: the X.509-SVID with its intermediates, PEM, the leaf first. It is read again every five seconds.',
    ).optional(),
    private_key: path('The private key of certificate, PEM.').optional(),
    clients: z
      .array(workloadIdPattern)
      .min(1)
      .describe(
        'The Envoys that may ask, as SPIFFE IDs: * stands for one segment of the path, ** at its end for one or more. Each has to show an X.509-SVID that chains to the bundle of its own trust domain.',
      ),
  })
  .check(checkAcross(sourceFaults))
  .describe('Mutual TLS where Envoy asks. Without it, what is sent there is in the clear.');

function* sourceFaults(value: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(value)) return;
  const { workload_api: api, spiffe_id: id, certificate, private_key: key } = value;
  if (api !== undefined) {
    for (const name of ['certificate', 'private_key'])
      if (value[name] !== undefined)
        yield [
          [name],
          { wrong: 'stands beside workload_api', mend: 'leave one: there is one source of the SVID' },
        ];
    return;
  }
  if (id !== undefined)
    yield [
      ['spiffe_id'],
      { wrong: 'is for workload_api', mend: 'leave it out: the certificate says which ID it is for' },
    ];
  if (certificate === undefined && key === undefined)
    yield [
      [],
      {
        wrong: 'has no source of an X.509-SVID',
        mend: 'add workload_api: true, or certificate and private_key',
      },
    ];
  else if (certificate === undefined)
    yield [[], { wrong: 'has a private_key alone', mend: 'add the certificate' }];
  else if (key === undefined) yield [[], { wrong: 'has a certificate alone', mend: 'add its private_key' }];
}

/** `listen`: where the server can be reached, and by whom. */
export const listenSchema = z
  .strictObject({
    grpc: z
      .string()
      .check(check(addressFault, true))
      .default('127.0.0.1:9191')
      .describe(
        'Where Envoy asks: host:port, [ipv6]:port, or unix:///absolute/path.sock. Port 0 picks a free one.',
      ),
    socket_mode: matching(/^0?[67][0-7]{2}$/, {
      wrong: 'is not the mode of a socket',
      mend: "write it in octal and in quotes, its owner's right to read and write included, as in '0660'",
    })
      .default('0660')
      .describe('The permissions of a Unix socket: who may write to it may ask.'),
    socket_group: z
      .unknown()
      .check(check(groupFault, true))
      .meta({ anyOf: [{ type: 'integer', minimum: 0 }, { type: 'string' }] })
      .transform((value) => value as string | number)
      .optional()
      .describe(
        'The group of a Unix socket, by name or by number. That of the process where none is written.',
      ),
    tls: tls.optional(),
    admin: z
      .string()
      .check(check(adminFault, true))
      .default('127.0.0.1:8181')
      .describe('Where health and metrics are served: host:port, [ipv6]:port, or off.'),
    admin_token_file: path(
      'A secret of 32 characters or more that operators send to listen.admin to change something, as what is revoked. Without it nothing can be changed there. Read anew at each use.',
    ).optional(),
    max_connection_age: connectionAge,
    max_connection_age_grace: duration(
      '0s',
      '1h',
      '30s',
      'How long calls on a connection that has reached its age may take to finish.',
    ),
  })
  .check(checkAcross(socketFaults))
  .prefault({})
  .describe('The addresses that the server listens on.');

function addressFault(text: string): Fault | undefined {
  const address = parseListenAddress(text);
  return isFault(address) ? address : undefined;
}

function adminFault(text: string): Fault | undefined {
  if (text === 'off') return undefined;
  if (!text.startsWith('unix:')) return addressFault(text);
  return {
    wrong: 'is a Unix socket, where health and metrics are not served',
    mend: 'write host:port, or off',
  };
}

const MOST_GROUPS = 2 ** 32 - 2;

function groupFault(value: unknown): Fault | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/.test(value)) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MOST_GROUPS)
    return undefined;
  return { wrong: 'is no group', mend: 'write the name of a group, or its number' };
}

/** What is said of a socket says nothing of a port. */
function* socketFaults(listen: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(listen)) return;
  const { grpc } = listen;
  if (typeof grpc === 'string' && grpc.startsWith('unix:')) return;
  for (const name of ['socket_mode', 'socket_group'])
    if (listen[name] !== undefined && !(name === 'socket_mode' && listen[name] === '0660'))
      yield [
        [name],
        {
          wrong: 'says nothing, while grpc is no Unix socket',
          mend: 'leave it out, or let grpc be unix:///absolute/path.sock',
        },
      ];
}

/** The clients of `listen.tls` whose trust domain the configuration does not know. */
export function* clientFaults(config: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(config) || !isMapping(config.listen) || !isMapping(config.identity)) return;
  const { tls: served } = config.listen;
  const { trust_domains: domains, workload_api: api } = config.identity;
  if (!isMapping(served) || !Array.isArray(served.clients) || !isMapping(domains)) return;
  if (isMapping(api) && api.federated === 'all') return;
  for (const [i, client] of served.clients.entries()) {
    const name = typeof client === 'string' ? /^spiffe:\/\/([^/]+)\//.exec(client)?.[1] : undefined;
    if (name !== undefined && !Object.hasOwn(domains, name))
      yield [
        ['listen', 'tls', 'clients', i],
        {
          wrong: 'is of a trust domain that is not known',
          mend: `add ${name} to identity.trust_domains, with the source of its bundle`,
        },
      ];
  }
}
