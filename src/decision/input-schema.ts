/** A JSON Schema (draft 7), as far as the input needs it. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly properties?: { readonly [name: string]: JsonSchema };
  readonly additionalProperties?: boolean | JsonSchema;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly enum?: readonly string[];
}

const text = (description: string): JsonSchema => ({ type: 'string', description });
const integer = (description: string): JsonSchema => ({ type: 'integer', description });
const list = (description: string): JsonSchema => ({ type: 'array', items: { type: 'string' }, description });
/** An object with members of any name. */
const map = (description: string, values: boolean | JsonSchema = true): JsonSchema => ({
  type: 'object',
  additionalProperties: values,
  description,
});

function object(
  description: string,
  properties: { readonly [name: string]: JsonSchema },
  required: readonly string[] = [],
): JsonSchema {
  return {
    type: 'object',
    description,
    properties,
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

const WORKLOAD = {
  spiffe_id: text('`spiffe://trust-domain/path`'),
  trust_domain: text("The SPIFFE ID's trust domain."),
  path: text("The SPIFFE ID's path, with its leading slash."),
  namespace: text(
    'Its Kubernetes namespace, where the path has the form of `identity.kubernetes.path_template`. Each trust domain has its own: compare `trust_domain` as well.',
  ),
  service_account: text('Its Kubernetes service account, likewise.'),
};

const IDENTITY = object(
  'The workload that calls, as its certificate or token was verified. Always there.',
  {
    ...WORKLOAD,
    source: {
      type: 'string',
      enum: ['certificate', 'xfcc', 'jwt_svid', 'wimse'],
      description:
        'What it was known by: a certificate that Envoy itself saw (`certificate`) or a trusted proxy (`xfcc`), a JWT-SVID, or a Workload-Identity-Token with its proof (`wimse`). It is the one that is configured.',
    },
    not_after: integer('When its certificate or token expires, in seconds since the epoch.'),
    fingerprint: text('SHA-256 of the certificate, in lower-case hex. Absent where there is none.'),
    destination: object(
      'The workload that is called, as the certificate says that Envoy itself shows: told by Envoy, from its own configuration. Absent where that certificate has no SPIFFE ID.',
      WORKLOAD,
      ['spiffe_id', 'trust_domain', 'path'],
    ),
  },
  ['spiffe_id', 'trust_domain', 'path', 'source', 'not_after'],
);

const TOKEN = object(
  'The verified access token. Absent where the route needs none and none came, and for TCP.',
  {
    issuer: text('`iss`, one of those that are configured.'),
    subject: text('`sub`'),
    client_id: text('`client_id`. Absent where the token has none.'),
    audience: list('`aud`, as a list also where the token has a single one.'),
    scopes: list(
      'Of `scope` (split at spaces) and `scp`, or of the claims that the issuer is configured with. Empty where the token has none.',
    ),
    roles: list(
      'Of `roles`, or of the claims that the issuer is configured with. Empty where the token has none.',
    ),
    groups: list(
      'Of `groups`, or of the claims that the issuer is configured with. Empty where the token has none.',
    ),
    actor: map(
      'The outermost `act` (RFC 8693): who acts now. Actors nested in it are history, and no ground to allow. Absent where the token has none.',
    ),
    actors: {
      type: 'array',
      items: { type: 'object', additionalProperties: true },
      description:
        'The whole chain, the outermost first, each as it stands in the token, without those nested in it. Empty where the token has no `act`.',
    },
    claims: map('All claims, as the token has them.'),
    issued_at: integer('`iat`, in seconds since the epoch. Absent where the token has none.'),
    expires_at: integer('`exp`, in seconds since the epoch.'),
    binding: {
      type: 'string',
      enum: ['none', 'x5t#S256', 'dpop', 'spiffe'],
      description:
        "What ties the token to the caller, and was found to hold: `x5t#S256` his certificate, `dpop` a key that he showed a proof of, `spiffe` the SPIFFE ID that the issuer's rule makes of the claims. Of several the first in this order.",
    },
    bindings: list('All of them, in the order of `binding`. Empty for a plain bearer token.'),
  },
  [
    'issuer',
    'subject',
    'audience',
    'scopes',
    'roles',
    'groups',
    'actors',
    'claims',
    'expires_at',
    'binding',
    'bindings',
  ],
);

const TRANSACTION = object(
  'The verified transaction token (`Txn-Token`): what the request from outside was about that led to this call. It says nothing of who calls. Absent where none came, and for TCP.',
  {
    issuer: text('The transaction token service.'),
    txn: text('`txn`: the same for all calls of one transaction.'),
    subject: text('`sub`: for whom the transaction is.'),
    scopes: list('`scope`, split at spaces: what the transaction is for.'),
    requesting_workload: text('`req_wl`: who asked for the token.'),
    context: map('`tctx`: what the transaction is about. Absent where the token has none.'),
    requester_context: map('`rctx`: where the request came from. Absent where the token has none.'),
    claims: map('All claims, as the token has them.'),
    issued_at: integer('`iat`, in seconds since the epoch.'),
    expires_at: integer('`exp`, in seconds since the epoch.'),
  },
  ['issuer', 'txn', 'subject', 'scopes', 'requesting_workload', 'claims', 'issued_at', 'expires_at'],
);

const REQUEST = object(
  'The HTTP request. Absent for a TCP connection, which is decided on identity alone.',
  {
    method: text('As it was sent; methods are case-sensitive.'),
    path: text(
      'Canonical: escapes of plain characters decoded, `.` and `..` resolved, slashes merged, the query split off. Paths that servers could read in two ways never get here.',
    ),
    raw_path: text('The path as it arrived, without the query.'),
    query: text('The query as it arrived, without the question mark.'),
    host: text('As it was sent.'),
    scheme: text('`http` or `https`'),
  },
  ['method', 'path', 'raw_path', 'query', 'host', 'scheme'],
);

const ADDRESS = object('envoy.config.core.v3.Address: one of these.', {
  socketAddress: object('An address of IP.', {
    protocol: integer('0 for TCP, 1 for UDP.'),
    address: text('IP address.'),
    portValue: integer('Port.'),
    namedPort: text('Port by name.'),
    resolverName: text('Who resolves the address.'),
    ipv4Compat: { type: 'boolean', description: 'Whether an IPv6 socket takes IPv4 too.' },
    networkNamespaceFilepath: text('Where the network namespace is.'),
  }),
  pipe: object('A Unix socket.', { path: text('Its path.'), mode: integer('Its mode.') }),
  envoyInternalAddress: object('A listener within Envoy.', {
    serverListenerName: text('Its name.'),
    endpointId: text('Which of several.'),
  }),
});

function peer(description: string): JsonSchema {
  return object(description, {
    address: ADDRESS,
    service: text('The canonical name of the service, where Envoy has one.'),
    labels: map('Labels of the workload, where Envoy has any.', { type: 'string' }),
    principal: text('What Envoy calls the peer. Not verified: use `identity.spiffe_id`.'),
    certificate: text('URL-encoded PEM. Not verified here: use `identity`.'),
  });
}

const metadata = (description: string): JsonSchema =>
  object(description, {
    filterMetadata: map("Filters' metadata by their names, as plain JSON."),
    typedFilterMetadata: map(
      "Filters' typed metadata by their names.",
      object('google.protobuf.Any', {
        typeUrl: text('The type of the value.'),
        value: text('The value, in base64.'),
      }),
    ),
  });

const HTTP = object("The request as Envoy sends it. A client writes most of it, so don't decide on it.", {
  id: text("Envoy's ID of the request."),
  method: text('As `request.method`.'),
  headers: map(
    'Headers by their names, in small letters; lines that repeat are one, with a comma between. Not verified.',
    { type: 'string' },
  ),
  headerMap: object('The headers line by line, where Envoy has `encode_raw_headers` on.', {
    headers: {
      type: 'array',
      description: 'In their order.',
      items: object('One line.', {
        key: text('The name.'),
        value: text('The value.'),
        rawValue: text('The value, in base64.'),
      }),
    },
  }),
  path: text('With the query, as it arrived.'),
  host: text('As `request.host`.'),
  scheme: text('As `request.scheme`.'),
  query: text('Empty: Envoy leaves the query in `path`.'),
  fragment: text('Empty: Envoy leaves it in `path`.'),
  size: integer('Bytes of the body, -1 where Envoy does not know.'),
  protocol: text('`HTTP/1.0`, `HTTP/1.1`, `HTTP/2` or `HTTP/3`.'),
  body: text('The body, as far as `with_request_body` has it.'),
  rawBody: text('The same in base64, where Envoy has `pack_as_bytes` on.'),
});

const ATTRIBUTES = object("Envoy's CheckRequest by its JSON names. What Envoy did not send is absent.", {
  source: peer('Who connects to Envoy.'),
  destination: peer('What it connects to.'),
  request: object('The request.', {
    time: object('When its first byte came.', {
      seconds: integer('Since the epoch.'),
      nanos: integer('Beyond the second.'),
    }),
    http: HTTP,
  }),
  contextExtensions: map("The route's `context_extensions`: set by Envoy's configuration.", {
    type: 'string',
  }),
  metadataContext: metadata("The request's dynamic metadata, those namespaces that Envoy is told to send."),
  routeMetadataContext: metadata("The route's metadata, those namespaces that Envoy is told to send."),
  tlsSession: object('The TLS session.', { sni: text('The name that the client asked for.') }),
});

/**
 * What policies are asked with: the schema of {@link policyInput}'s value. Policies are checked against it
 * (`countersign check`), and docs/policy-input.md is written from it. It is closed wherever the names are known,
 * so that a name which is misspelt is one that is not there.
 */
export const INPUT_SCHEMA: JsonSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'The input of a Countersign policy',
  ...object(
    '`identity`, `token`, `user_token` and `request` are verified facts; the rest stands under the names of opa-envoy-plugin.',
    {
      identity: IDENTITY,
      token: TOKEN,
      transaction: TRANSACTION,
      user_token: {
        ...TOKEN,
        description:
          'The verified token of the user for whom the workload asks, with the same keys as `token`. Absent where none came, and where `token.user` is not configured.',
      },
      request: REQUEST,
      attributes: ATTRIBUTES,
      parsed_path: list('The canonical path in segments.'),
      parsed_query: map("The query's parameters, with every value of each.", {
        type: 'array',
        items: { type: 'string' },
      }),
      parsed_body: {
        description:
          'A JSON, form or multipart body or a gRPC message, parsed; `null` where there is none, or of another kind.',
      },
      truncated_body: {
        type: 'boolean',
        description: 'Whether Envoy cut the body off: then `parsed_body` is not all of it.',
      },
      version: object('The form that `attributes` has here.', {
        ext_authz: text('`v3`'),
        encoding: text('`protojson`'),
      }),
      source_principal: text('As `attributes.source.principal`. Not verified: use `identity.spiffe_id`.'),
    },
    ['identity', 'attributes', 'parsed_path', 'parsed_query', 'parsed_body', 'truncated_body', 'version'],
  ),
};
