import {
  genericTokenEndpointRequest,
  processGenericTokenEndpointResponse,
  ResponseBodyError,
  type ClientAuth,
} from 'oauth4webapi';
import { posting, type PostForm } from '../token/post-form.js';
import { readTokenResponse, type ObtainedToken } from './token-response.js';
import { TokenRefused, type TokenQuestion } from './token-source.js';

/** How tokens are asked for: RFC 8693, RFC 6749 section 4.4, RFC 7523 section 2.1. */
export type Grant =
  | { readonly type: 'token_exchange'; readonly subjectTokenType: 'access_token' | 'jwt' }
  | { readonly type: 'client_credentials' }
  /** @param own this server's own assertion, where the caller's is not what is shown */
  | { readonly type: 'jwt_bearer'; readonly own?: () => Promise<string> };

export interface TokenEndpointOptions {
  readonly issuer: string;
  /** Rejects with an Error where that cannot be found out. */
  readonly endpoint: () => Promise<string>;
  readonly clientId: string;
  readonly authentication: () => Promise<ClientAuth>;
  readonly grant: Grant;
  /** How the audience is called: RFC 8707, RFC 8693 section 2.1. */
  readonly audienceParameter: 'resource' | 'audience';
  readonly post: PostForm;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:';

const GRANT_TYPES = {
  token_exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  client_credentials: 'client_credentials',
  jwt_bearer: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
} as const;

/** Errors that say nothing against the one question (RFC 6749 section 5.2), but against us, or the server. */
const OF_ALL = [
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'temporarily_unavailable',
  'server_error',
];

/**
 * What asks a token endpoint.
 *
 * @throws TokenRefused for a no, Error for what was no answer; neither holds anything of a token or of the credentials
 */
export function createTokenEndpoint(
  options: TokenEndpointOptions,
): (question: TokenQuestion, signal: AbortSignal) => Promise<ObtainedToken> {
  const { issuer, clientId: client_id, grant, now } = options;
  return async (question, signal) => {
    const at = now();
    const place = await options.endpoint();
    const server = { issuer, token_endpoint: place };
    const client = { client_id };
    const response = await genericTokenEndpointRequest(
      server,
      client,
      await options.authentication(),
      GRANT_TYPES[grant.type],
      await parametersOf(question, options),
      posting(options.post, signal),
    );
    const said = await processGenericTokenEndpointResponse(server, client, response).catch(
      (error: unknown) => {
        throw explained(error, place, response.status);
      },
    );
    const asked = { ...question, exchanged: grant.type === 'token_exchange' };
    const token = readTokenResponse(said as Parameters<typeof readTokenResponse>[0], asked, at);
    if (typeof token === 'string') throw new TokenRefused(`${place} gave what cannot be passed on: ${token}`);
    return token;
  };
}

async function parametersOf(
  { audience, scopes, subject }: TokenQuestion,
  { grant, audienceParameter }: TokenEndpointOptions,
): Promise<URLSearchParams> {
  const form = new URLSearchParams({ [audienceParameter]: audience });
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  if (grant.type === 'token_exchange') {
    form.set('subject_token', subject!);
    form.set('subject_token_type', TOKEN_TYPE + grant.subjectTokenType);
    form.set('requested_token_type', `${TOKEN_TYPE}access_token`);
  }
  if (grant.type === 'jwt_bearer') form.set('assertion', grant.own ? await grant.own() : subject!);
  return form;
}

/** An error of the library may quote what it was given, so only what is known of it goes on. */
function explained(error: unknown, place: string, status: number): Error {
  if (error instanceof ResponseBodyError) {
    const code = /^[a-z_]{1,40}$/.test(error.error) ? error.error : 'an error without a proper name';
    const message = `${told(place, status)} (${code})`;
    return OF_ALL.includes(code) ? new Error(message) : new TokenRefused(message);
  }
  if (status === 200) return new TokenRefused(`${place} answered with something else than RFC 6749 has`);
  const message = told(place, status);
  return status >= 400 && status < 500 && ![401, 408, 429].includes(status)
    ? new TokenRefused(message)
    : new Error(message);
}

function told(place: string, status: number): string {
  return `${place} answered ${status}`;
}
