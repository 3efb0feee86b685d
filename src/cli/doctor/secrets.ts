import { open, stat } from 'node:fs/promises';
import type { Examination } from './examine.js';

/** Files that hold what nobody else may read: that they can be read here, and not by everybody. Their content is never read. */
export async function checkSecrets({ config, locate, notebook }: Examination): Promise<void> {
  for (const [path, file] of secretsOf(config)) {
    const place = { ...locate(...path), endpoint: file };
    const fault = await open(file, 'r').then(
      (handle) => handle.close(),
      (error: NodeJS.ErrnoException) => error.code ?? error.name,
    );
    if (fault !== undefined) {
      notebook.add(
        'secret_unreadable',
        place,
        `the file cannot be read (${fault})`,
        'give this user the file',
      );
      continue;
    }
    if ((await stat(file)).mode & 0o004) {
      notebook.add(
        'secret_exposed',
        place,
        'everybody may read the file',
        `chmod o-rwx ${file}, with the group of this server where it is not the owner`,
      );
    }
  }
}

type Secret = readonly [path: readonly PropertyKey[], file: string];
type Named = readonly [path: readonly PropertyKey[], file: string | undefined];

function secretsOf({ listen, token, revocation, policy, broker }: Examination['config']): readonly Secret[] {
  const given: Named[] = [
    [['listen', 'admin_token_file'], listen.admin_token_file],
    [['listen', 'tls', 'private_key'], listen.tls?.private_key],
    [['token', 'dpop', 'nonce_secret'], token.dpop.nonce_secret],
    [['revocation', 'store', 'password_file'], revocation.store?.password_file],
  ];
  for (const [i, { introspection }] of token.issuers.entries()) {
    const shown = introspection?.client_authentication;
    given.push(...ofClient(['token', 'issuers', i, 'introspection', 'client_authentication'], shown));
  }
  for (const [name, { client_authentication: shown }] of Object.entries(broker?.servers ?? {})) {
    given.push(...ofClient(['broker', 'servers', name, 'client_authentication'], shown));
  }
  for (const [i, transmitter] of (revocation.signals?.transmitters ?? []).entries()) {
    given.push([
      ['revocation', 'signals', 'transmitters', i, 'authorization_file'],
      transmitter.authorization_file,
    ]);
  }
  for (const [name, { credentials }] of Object.entries(policy.services ?? {})) {
    const at = ['policy', 'services', name, 'credentials'];
    given.push(
      [[...at, 'bearer', 'token_path'], credentials?.bearer?.token_path],
      [[...at, 'client_tls', 'private_key'], credentials?.client_tls?.private_key],
    );
  }
  return given.flatMap(([path, file]) => (file === undefined ? [] : [[path, file] as const]));
}

function ofClient(
  at: readonly PropertyKey[],
  shown: { readonly secret_file?: string | undefined; readonly private_key?: string | undefined } | undefined,
): readonly Named[] {
  return [
    [[...at, 'secret_file'], shown?.secret_file],
    [[...at, 'private_key'], shown?.private_key],
  ];
}
