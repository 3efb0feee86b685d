import { lstat, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import {
  credentials,
  makeGenericClientConstructor,
  status,
  type Client,
  type ServiceError,
} from '@grpc/grpc-js';
import type { CheckResponse } from '../../envoy/messages.js';
import { isFault, parseListenAddress, type ListenAddress } from '../../config/listen-address.js';
import { authorizationService } from '../../server/proto.js';
import type { Examination } from './examine.js';
import type { Place } from './finding.js';
import { PATIENCE } from './reach.js';

/** The running server, asked as Envoy asks: that it listens, serves, and denies what it cannot know. */
export async function checkEndpoint(examination: Examination): Promise<void> {
  const { config, locate, notebook } = examination;
  const address = parseListenAddress(config.listen.grpc);
  if (isFault(address)) return;
  const place = { ...locate('listen', 'grpc'), endpoint: config.listen.grpc };
  if ('port' in address && address.port === 0) {
    notebook.saw('listen.grpc: port 0 picks one at each start, so that nothing can be asked');
    return;
  }
  if ('socketPath' in address && !(await checkSocket(examination, place, address.socketPath))) return;
  const target =
    'socketPath' in address ? `unix:${address.socketPath}` : `${reachable(address.host)}:${address.port}`;
  if (config.listen.tls === undefined) await ask(examination, place, target);
  else await knock(examination, place, address);
  await checkReadiness(examination);
}

/** Where a server that listens on every address is reached on this machine. */
function plainHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

function reachable(host: string): string {
  const plain = plainHost(host);
  return plain.includes(':') ? `[${plain}]` : plain;
}

/** @returns whether there is a socket to ask */
async function checkSocket({ notebook }: Examination, place: Place, path: string): Promise<boolean> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => error.code ?? error.name);
  if (typeof found === 'string') {
    const [code, mend] =
      found === 'ENOENT'
        ? (['socket_not_listening', 'start `countersign serve`, or look at its log'] as const)
        : (['socket_forbidden', 'give this user, and that of Envoy, the folders above the socket'] as const);
    notebook.add(code, place, `there is no socket that can be looked at (${found})`, mend);
    return false;
  }
  if (!found.isSocket()) {
    notebook.add(
      'socket_not_listening',
      place,
      'what is there is not a socket',
      'take it away, and start `countersign serve`',
    );
    return false;
  }
  const folder = await stat(dirname(path));
  // In a folder with the sticky bit only the owner of a file may take it away.
  const replaceable = (folder.mode & 0o002) !== 0 && (folder.mode & 0o1000) === 0;
  if ((found.mode & 0o002) !== 0 || replaceable) {
    notebook.add(
      'socket_exposed',
      place,
      replaceable ? `everybody may replace files in ${dirname(path)}` : 'everybody may connect to the socket',
      replaceable ? `chmod o-w ${dirname(path)}` : `chmod o-rwx ${path}, with a group that Envoy is in`,
    );
  }
  return true;
}

/** Behind mutual TLS only Envoys are answered, and this is none: that somebody listens is all that can be seen. */
async function knock({ notebook }: Examination, place: Place, address: ListenAddress): Promise<void> {
  const target =
    'socketPath' in address
      ? { path: address.socketPath }
      : { port: address.port, host: plainHost(address.host) };
  const code = await new Promise<string | undefined>((resolve) => {
    const socket = connect(target, () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.setTimeout(PATIENCE, () =>
      socket.destroy(Object.assign(new Error('late'), { code: 'ETIMEDOUT' })),
    );
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.name));
  });
  if (code === undefined) {
    notebook.saw(
      `${place.endpoint}: listens, to the clients of listen.tls alone, so that nothing more was asked`,
    );
  } else if (code === 'EACCES' || code === 'EPERM') {
    notebook.add(
      'socket_forbidden',
      place,
      'this user may not connect',
      'add the user, and that of Envoy, to the group of the socket',
    );
  } else {
    notebook.add(
      'socket_not_listening',
      place,
      `nobody listens there (${code})`,
      'start `countersign serve`, or look at its log',
    );
  }
}

type Call = (
  request: object,
  options: object,
  callback: (error: ServiceError | null, answer?: unknown) => void,
) => void;

async function ask({ notebook }: Examination, place: Place, target: string): Promise<void> {
  const options = { 'grpc.enable_http_proxy': 0, 'grpc.service_config_disable_resolution': 1 };
  const health = new (makeGenericClientConstructor(HEALTH, 'Health'))(
    target,
    credentials.createInsecure(),
    options,
  );
  const checking = new (makeGenericClientConstructor(authorizationService, 'Authorization'))(
    target,
    credentials.createInsecure(),
    options,
  );
  try {
    const state = await call(health, 'Check', { service: 'envoy.service.auth.v3.Authorization' });
    if (state !== SERVING) {
      notebook.add(
        'socket_not_serving',
        place,
        'it says that it does not serve',
        'look at GET /readyz of listen.admin, and at the log of the server',
      );
      return;
    }
    // Nobody, who asks for nothing: whatever the policy, this cannot be allowed.
    const answer = (await call(checking, 'Check', {})) as CheckResponse | undefined;
    if (answer?.status === undefined || answer.status.code === 0) {
      notebook.add(
        'socket_not_countersign',
        place,
        'it lets a request through that says nothing of who asks',
        'find out what listens there, and let Countersign listen in its place',
      );
      return;
    }
    notebook.saw(`${place.endpoint}: serves, and denies a request of nobody`);
  } catch (error) {
    const { code, details } = error as ServiceError;
    if (code === status.UNIMPLEMENTED) {
      notebook.add(
        'socket_not_countersign',
        place,
        'what listens there is no authorization server',
        'find out what listens there',
      );
    } else if (/EACCES|EPERM/.test(details ?? '')) {
      notebook.add(
        'socket_forbidden',
        place,
        'this user may not connect',
        'add the user, and that of Envoy, to the group of the socket',
      );
    } else {
      notebook.add(
        'socket_not_listening',
        place,
        `nobody answers there in gRPC (${status[code] ?? 'no answer'})`,
        'start `countersign serve`, or look at its log',
      );
    }
  } finally {
    health.close();
    checking.close();
  }
}

function call(client: Client, method: string, request: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const named = (client as unknown as { [name: string]: Call })[method]!;
    named.call(client, request, { deadline: Date.now() + PATIENCE }, (error, answer) => {
      if (error) reject(error);
      else resolve(answer);
    });
  });
}

/** What fails of that which the server keeps fresh, by its own word. */
async function checkReadiness({ config, locate, notebook }: Examination): Promise<void> {
  const address = config.listen.admin === 'off' ? undefined : parseListenAddress(config.listen.admin);
  if (address === undefined || isFault(address) || !('port' in address) || address.port === 0) return;
  const url = `http://${reachable(address.host)}:${address.port}/readyz`;
  const place = { ...locate('listen', 'admin'), endpoint: url };
  let checks: { readonly [name: string]: { readonly ok?: unknown; readonly detail?: unknown } };
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE), redirect: 'error' });
    ({ checks } = (await answer.json()) as { checks: typeof checks });
    if (typeof checks !== 'object' || checks === null) throw new Error('not the answer of Countersign');
  } catch {
    notebook.saw(`${url}: gives no answer; what the server keeps fresh was not looked at`);
    return;
  }
  for (const [name, { ok, detail }] of Object.entries(checks)) {
    if (ok !== false) continue;
    const why = typeof detail === 'string' ? `: ${detail}` : '';
    notebook.add(
      'engine_check_failing',
      place,
      `the server says that ${name} is not well${why}`,
      'mend what it names',
    );
  }
}

const SERVING = 1;

/** grpc.health.v1.Health: two messages of one field each, as src/server/health.ts answers them. */
const HEALTH = {
  Check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: ({ service }: { service: string }) =>
      Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]),
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => (bytes[0] === 0x08 ? bytes[1] : 0),
  },
};
