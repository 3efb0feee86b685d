import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { explainIssues } from './explain.js';
import { isFilePath } from './location.js';
import { ConfigError } from './problem.js';
import { resolveValues } from './resolve-values.js';
import { type BundleServiceConfig, type Config, configSchema, type IssuerConfig } from './schema.js';
import type { Environment } from './variables.js';
import { YamlFile } from './yaml-file.js';

/**
 * Reads and checks a configuration file.
 *
 * @param env what `${NAME}` is looked up in; usually `process.env`
 * @throws ConfigError with all that is wrong, or that the file cannot be read
 */
export async function loadConfig(file: string, env: Environment): Promise<Config> {
  const outcome = parseConfig(await read(file), { file, env });
  if (outcome instanceof ConfigError) throw outcome;
  return outcome;
}

/**
 * Checks the text of a configuration file. Where the YAML itself is broken the problems are those alone,
 * since nothing can be said of keys and values yet; otherwise they are all there are.
 *
 * @param options.file its name, for problems and for relative paths; it is not read
 */
export function parseConfig(text: string, options: { file: string; env: Environment }): Config | ConfigError {
  const file = YamlFile.parse(options.file, text);
  if (!(file instanceof YamlFile)) return new ConfigError(file);
  const { value, problems, broken } = resolveValues(file, options.env);
  const checked = configSchema.safeParse(value);
  const all = checked.success
    ? problems
    : [...problems, ...explainIssues(file, checked.error.issues, broken)];
  if (!checked.success || all.length > 0) return new ConfigError(all);
  return resolvePaths(checked.data, dirname(resolve(options.file)));
}

async function read(file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const [wrong, mend] = READ_FAULTS[String(code)] ?? [`cannot be read (${String(code)})`, 'check the file'];
    throw new ConfigError([{ file, key: '', wrong, mend }]);
  }
}

const READ_FAULTS: Record<string, readonly [wrong: string, mend: string]> = {
  ENOENT: ['there is no such file', 'give the path of the configuration file'],
  EISDIR: ['this is a folder', 'give the path of the configuration file in it'],
  EACCES: ['may not be read', 'give this user the right to read it'],
  ERR_ENCODING_INVALID_ENCODED_DATA: ['the file is not UTF-8', 'save it as UTF-8'],
};

function resolvePaths(config: Config, folder: string): Config {
  const at = (path: string) => resolve(folder, path);
  const domains = Object.entries(config.identity.trust_domains);
  return {
    ...config,
    listen: resolveListen(config.listen, at),
    identity: {
      ...config.identity,
      trust_domains: Object.fromEntries(domains.map(([name, domain]) => [name, resolveDomain(domain, at)])),
    },
    token: {
      ...config.token,
      dpop: {
        ...config.token.dpop,
        ...(config.token.dpop.nonce_secret !== undefined && {
          nonce_secret: at(config.token.dpop.nonce_secret),
        }),
      },
      ...(config.token.transaction && {
        transaction: {
          ...config.token.transaction,
          issuers: config.token.transaction.issuers.map((issuer) => ({
            ...issuer,
            jwks: isFilePath(issuer.jwks) ? at(issuer.jwks) : issuer.jwks,
          })),
        },
      }),
      issuers: config.token.issuers.map((issuer) => ({
        ...issuer,
        ...(issuer.jwks !== undefined && { jwks: isFilePath(issuer.jwks) ? at(issuer.jwks) : issuer.jwks }),
        ...(issuer.introspection && { introspection: resolveCredentials(issuer.introspection, at) }),
      })),
    },
    revocation: resolveRevocationPaths(config.revocation, at),
    policy: resolvePolicyPaths(config.policy, at),
    ...(config.broker && {
      broker: {
        ...config.broker,
        servers: Object.fromEntries(
          Object.entries(config.broker.servers).map(([name, server]) => [
            name,
            resolveCredentials(server, at),
          ]),
        ),
      },
    }),
  };
}

type At = (path: string) => string;

function resolveListen(listen: Config['listen'], at: At): Config['listen'] {
  const { admin_token_file: secret, tls } = listen;
  const { certificate, private_key: key } = tls ?? {};
  return {
    ...listen,
    ...(secret !== undefined && { admin_token_file: at(secret) }),
    ...(tls && {
      tls: {
        ...tls,
        ...(certificate !== undefined && { certificate: at(certificate) }),
        ...(key !== undefined && { private_key: at(key) }),
      },
    }),
  };
}

type TrustDomainConfig = Config['identity']['trust_domains'][string];

function resolveDomain(domain: TrustDomainConfig, at: At): TrustDomainConfig {
  const { bundle, federation } = domain;
  const { ca, bootstrap } = federation ?? {};
  return {
    ...domain,
    ...(bundle !== undefined && { bundle: at(bundle) }),
    ...(federation && {
      federation: {
        ...federation,
        ...(ca !== undefined && { ca: at(ca) }),
        ...(bootstrap !== undefined && { bootstrap: at(bootstrap) }),
      },
    }),
  };
}

function resolveRevocationPaths(revocation: Config['revocation'], at: At): Config['revocation'] {
  const { file, persistence_directory: kept, store, signals } = revocation;
  return {
    ...revocation,
    ...(file !== undefined && { file: at(file) }),
    ...(kept !== undefined && { persistence_directory: at(kept) }),
    ...(store && { store: resolveStorePaths(store, at) }),
    ...(signals && {
      signals: {
        ...signals,
        transmitters: signals.transmitters.map(({ authorization_file: secret, ...one }) => ({
          ...one,
          jwks: isFilePath(one.jwks) ? at(one.jwks) : one.jwks,
          ...(secret !== undefined && { authorization_file: at(secret) }),
        })),
      },
    }),
  };
}

type StoreConfig = NonNullable<Config['revocation']['store']>;

function resolveStorePaths(store: StoreConfig, at: At): StoreConfig {
  const { password_file: password, ca } = store;
  return {
    ...store,
    ...(password !== undefined && { password_file: at(password) }),
    ...(ca !== undefined && { ca: at(ca) }),
  };
}

function resolvePolicyPaths(policy: Config['policy'], at: At): Config['policy'] {
  const {
    path,
    proto_descriptor: descriptor,
    persistence_directory: kept,
    bundles,
    services,
    keys,
    shadow,
  } = policy;
  return {
    ...policy,
    ...(path !== undefined && { path: at(path) }),
    ...(descriptor !== undefined && { proto_descriptor: at(descriptor) }),
    ...(kept !== undefined && { persistence_directory: at(kept) }),
    ...(bundles && { bundles: mapValues(bundles, (bundle) => withPath(bundle, at)) }),
    ...(services && { services: mapValues(services, (service) => resolveService(service, at)) }),
    ...(keys && { keys: mapValues(keys, (key) => ({ ...key, key: at(key.key) })) }),
    ...(shadow && { shadow: withPath(shadow, at) }),
  };
}

type OwnCredentials = Pick<NonNullable<IssuerConfig['introspection']>, 'ca' | 'client_authentication'>;

/** What this server proves itself with to another one. */
function resolveCredentials<T extends OwnCredentials>(client: T, at: At): T {
  const { ca, client_authentication: authentication } = client;
  const { secret_file: secret, private_key: key, certificate } = authentication;
  return {
    ...client,
    ...(ca !== undefined && { ca: at(ca) }),
    client_authentication: {
      ...authentication,
      ...(secret !== undefined && { secret_file: at(secret) }),
      ...(key !== undefined && { private_key: at(key) }),
      ...(certificate !== undefined && { certificate: at(certificate) }),
    },
  };
}

function withPath<T extends { readonly path?: string | undefined }>(value: T, at: At): T {
  return value.path === undefined ? value : { ...value, path: at(value.path) };
}

function resolveService(service: BundleServiceConfig, at: At): BundleServiceConfig {
  const { ca, credentials } = service;
  const { bearer, client_tls: tls } = credentials ?? {};
  return {
    ...service,
    ...(ca !== undefined && { ca: at(ca) }),
    ...(credentials && {
      credentials: {
        ...(bearer && { bearer: { token_path: at(bearer.token_path) } }),
        ...(tls && { client_tls: { cert: at(tls.cert), private_key: at(tls.private_key) } }),
      },
    }),
  };
}

function mapValues<T>(values: Readonly<Record<string, T>>, map: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]));
}
