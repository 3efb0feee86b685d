import { createPrivateKey } from 'node:crypto';
import {
  ClientSecretBasic,
  ClientSecretPost,
  PrivateKeyJwt,
  TlsClientAuth,
  type ClientAuth,
} from 'oauth4webapi';
import type { IssuerConfig } from '../config/schema.js';
import type { FetchJwtSvid } from '../spiffe/jwt-svids.js';
import type { TlsMaterial } from './post-form.js';
import { readNamed } from './read-named.js';

type ClientAuthentication = NonNullable<IssuerConfig['introspection']>['client_authentication'];

/** How this server shows who it is: something in each request, or something in the connection. */
export interface Credentials {
  /** Rejects with an Error that names the file, and nothing of what is in it. */
  readonly authentication: () => Promise<ClientAuth>;
  readonly tls: () => Promise<TlsMaterial>;
}

/** This process's own SVIDs, out of the Workload API. */
export interface OwnSvids {
  /** @throws Error while there is none */
  x509(): Promise<{ readonly certificate: string; readonly key: string }>;
  readonly jwt: FetchJwtSvid;
}

export interface CredentialsOptions {
  /** The issuer identifier of the authorization server. */
  readonly issuer: string;
  /** A file with the roots that the other side is verified with. */
  readonly ca?: string | undefined;
  /** Absent where the Workload API is not used. */
  readonly svids?: OwnSvids | undefined;
}

/** Credentials from configuration. Files are read for each request, so that they may rotate. */
export function createCredentials(
  config: ClientAuthentication,
  { issuer, ca, svids }: CredentialsOptions,
): Credentials {
  const read = (path: string | undefined) => readNamed(path ?? '');
  const isTls = config.method.endsWith('tls_client_auth');
  return {
    async authentication() {
      switch (config.method) {
        case 'client_secret_basic':
          return ClientSecretBasic(config.secret ?? (await read(config.secret_file)).trim());
        case 'client_secret_post':
          return ClientSecretPost(config.secret ?? (await read(config.secret_file)).trim());
        case 'private_key_jwt':
          return PrivateKeyJwt(await readKey(config));
        case 'spiffe_jwt':
          return spiffeJwt(
            config.assertion_type ?? 'jwt-spiffe',
            await given(svids).jwt(config.audience ?? issuer),
          );
        default:
          return TlsClientAuth();
      }
    },
    async tls() {
      const roots = ca === undefined ? {} : { ca: await read(ca) };
      if (!isTls) return roots;
      if (config.workload_api === true) return { ...roots, ...(await given(svids).x509()) };
      return { ...roots, certificate: await read(config.certificate), key: await read(config.private_key) };
    },
  };
}

/** draft-ietf-oauth-spiffe-client-auth, section 4.1; RFC 7523 section 2.2. */
function spiffeJwt(type: string, token: string): ClientAuth {
  return (_server, { client_id: clientId }, body) => {
    body.set('client_id', clientId);
    body.set('client_assertion_type', `urn:ietf:params:oauth:client-assertion-type:${type}`);
    body.set('client_assertion', token);
  };
}

/** Whoever wires this starts the Workload API where configuration wants an SVID. */
function given(svids: OwnSvids | undefined): OwnSvids {
  if (svids === undefined) throw new Error('the Workload API is not in use');
  return svids;
}

async function readKey({ private_key: path = '', algorithm, key_id: kid }: ClientAuthentication) {
  const pem = await readNamed(path);
  const { importPKCS8 } = await import('jose');
  try {
    const key = await importPKCS8(pem, algorithm ?? usual(pem));
    return kid === undefined ? key : { key, kid };
  } catch {
    throw new Error(`${path} holds no private key (PEM, PKCS #8) that suits the algorithm`);
  }
}

/** The algorithm that a key of this kind is for, where configuration does not say. */
function usual(pem: string): string {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPrivateKey(pem);
  if (type === 'ed25519') return 'Ed25519';
  if (type !== 'ec') return 'RS256';
  return { secp384r1: 'ES384', secp521r1: 'ES512' }[details?.namedCurve ?? ''] ?? 'ES256';
}
