import { createPublicKey } from 'node:crypto';
import { errors as jose, exportJWK, importJWK, jwtVerify, type JWTPayload } from 'jose';
import type Provider from 'oidc-provider';

/** What a handler sees of a request, and what it makes of it. */
interface Context {
  readonly oidc: {
    readonly client: { readonly clientId: string };
    readonly params: { readonly [name: string]: string | undefined };
  };
  status: number;
  body: unknown;
}

interface CustomGrants {
  /** What access tokens are signed with. */
  readonly signing: { readonly publicJwk: object };
  /** The keys of a trust domain's JWT-SVIDs. */
  readonly svids?: object | undefined;
}

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

export const CUSTOM_GRANTS: readonly string[] = [EXCHANGE, BEARER];

/** Token exchange (RFC 8693) and JWT bearer assertions (RFC 7523), as users of the package write them. */
export function addCustomGrants(provider: Provider, issuer: string, { signing, svids }: CustomGrants): void {
  const grant = (
    name: string,
    parameters: readonly string[],
    subjectOf: (params: Context['oidc']['params']) => Promise<JWTPayload>,
  ) =>
    provider.registerGrantType(
      name,
      async (context: Context) => {
        const { client, params } = context.oidc;
        const { resource = '', scope = '' } = params;
        const refuse = (error: string) => {
          context.status = 400;
          context.body = { error };
        };
        let subject: JWTPayload;
        try {
          subject = await subjectOf(params);
        } catch (error) {
          if (error instanceof jose.JOSEError) return refuse('invalid_grant');
          throw error;
        }
        if (scope.split(' ').some((one) => one === 'billing:write')) return refuse('invalid_scope');
        const { AccessToken, ResourceServer } = provider;
        const token = new AccessToken({
          client,
          accountId: subject.sub,
          scope,
          gty: name,
          grantId: `for-${client.clientId}`,
        });
        token.resourceServer = new ResourceServer(resource, {
          scope,
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 120,
          jwt: { sign: { alg: 'ES256' } },
        });
        context.body = {
          access_token: await token.save(),
          token_type: 'Bearer',
          expires_in: 120,
          scope,
          ...(name === EXCHANGE && { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' }),
        };
      },
      ['resource', 'scope', ...parameters],
    );
  grant(EXCHANGE, ['subject_token', 'subject_token_type', 'requested_token_type'], async (params) => {
    const key = await importJWK(signing.publicJwk, 'ES256');
    return (await jwtVerify(params.subject_token ?? '', key, { issuer })).payload;
  });
  grant(BEARER, ['assertion'], async (params) => {
    const key = await importJWK(svids ?? {}, 'ES256');
    return (await jwtVerify(params.assertion ?? '', key, { audience: issuer })).payload;
  });
}

/** The public part of a private key in PEM. */
export async function publicJwk(pem: string): Promise<object> {
  return exportJWK(createPublicKey(pem));
}
