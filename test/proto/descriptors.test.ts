import { fileURLToPath } from 'node:url';
import {
  loadSync,
  type MessageTypeDefinition,
  type Options,
  type PackageDefinition,
} from '@grpc/proto-loader';

const FILE = 'envoy/service/auth/v3/external_auth.proto';
const folder = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const ENVOYS = ['envoy-api', 'xds', 'protoc-gen-validate', 'googleapis'].map((name) =>
  folder(`node_modules/@grpc/grpc-js-xds/deps/${name}`),
);

const ours = (options: Options) => loadSync(FILE, { includeDirs: [folder('proto')], ...options });
const envoys = (options: Options) => loadSync(FILE, { includeDirs: ENVOYS, ...options });

/** What ours has and the copy of Envoy's that npm carries is too old to have. */
const NEWER = [
  'envoy.config.core.v3.SocketAddress.network_namespace_filepath = 7 TYPE_STRING LABEL_OPTIONAL',
  'envoy.service.auth.v3.CheckResponse.error_response = 5 TYPE_MESSAGE LABEL_OPTIONAL DeniedHttpResponse in http_response',
];

/** Ours names none but zero of its numbers. */
const OPEN_ENUM = 'envoy.type.v3.StatusCode';

interface FieldDescriptor {
  name: string;
  number: number;
  type: string;
  label: string;
  typeName?: string;
  oneofIndex?: number;
}

interface MessageDescriptor {
  name: string;
  field?: FieldDescriptor[];
  nestedType?: MessageDescriptor[];
  oneofDecl?: { name: string }[];
  enumType?: EnumDescriptor[];
}

interface EnumDescriptor {
  name: string;
  value: { name: string; number: number }[];
}

interface FileDescriptor {
  package?: string;
  messageType?: MessageDescriptor[];
  enumType?: EnumDescriptor[];
}

/** Reads descriptors with nothing filled in: a field outside any oneof has no `oneofIndex` then. */
const descriptors = loadSync('google/protobuf/descriptor.proto', { enums: String });
const fileDescriptor = descriptors['google.protobuf.FileDescriptorProto'] as MessageTypeDefinition<
  object,
  object
>;

/** One line a field or an enum's value, by the full name of its message or enum. */
function fieldsOf(definition: PackageDefinition): Map<string, string[]> {
  const any = Object.values(definition).find((entry) => 'fileDescriptorProtos' in entry)!;
  const messages = new Map<string, string[]>();
  const visitEnum = ({ name, value }: EnumDescriptor, scope: string) =>
    messages.set(
      `${scope}.${name}`,
      value.map((entry) => `${scope}.${name}.${entry.name} = ${entry.number}`).sort(),
    );
  const visit = (message: MessageDescriptor, scope: string) => {
    const name = `${scope}.${message.name}`;
    messages.set(
      name,
      (message.field ?? []).map((field) => `${name}.${line(field, message.oneofDecl ?? [])}`).sort(),
    );
    for (const nested of message.nestedType ?? []) visit(nested, name);
    for (const nested of message.enumType ?? []) visitEnum(nested, name);
  };
  for (const encoded of (any as unknown as { fileDescriptorProtos: Buffer[] }).fileDescriptorProtos) {
    const file = fileDescriptor.deserialize(encoded) as FileDescriptor;
    for (const message of file.messageType ?? []) visit(message, file.package ?? '');
    for (const top of file.enumType ?? []) visitEnum(top, file.package ?? '');
  }
  return messages;
}

function line(field: FieldDescriptor, oneofs: { name: string }[]): string {
  const parts = [field.name, '=', field.number, field.type, field.label];
  // Type names come relative to a scope that differs with what else is loaded: the last part tells.
  if (field.typeName) parts.push(field.typeName.split('.').at(-1)!);
  if (field.oneofIndex !== undefined) parts.push('in', oneofs[field.oneofIndex]!.name);
  return parts.join(' ');
}

describe("our .proto files beside Envoy's own", () => {
  const mine = fieldsOf(ours({ keepCase: true }));
  const theirs = fieldsOf(envoys({ keepCase: true }));
  const names = [...mine.keys()].filter((name) => !name.startsWith('google.protobuf.'));

  test('every message and enum is one of Envoy’s', () => {
    expect(names).toContain('envoy.service.auth.v3.CheckRequest');
    expect(names).toContain('envoy.service.auth.v3.AttributeContext.HttpRequest');
    expect(names).toContain('envoy.config.core.v3.HeaderValueOption.HeaderAppendAction');
    expect(names.filter((name) => !theirs.has(name))).toEqual([]);
  });

  test.each(names.filter((name) => name !== OPEN_ENUM))(
    '%s is the same in numbers, types, labels and oneofs',
    (name) => {
      expect(mine.get(name)!.filter((field) => !NEWER.includes(field))).toEqual(theirs.get(name));
    },
  );

  test('the fields that the copy is too old to have are exactly these', () => {
    const extra = names.flatMap((name) => mine.get(name)!.filter((f) => !theirs.get(name)!.includes(f)));
    expect(extra.sort()).toEqual(NEWER);
  });

  test('JSON names are the same', () => {
    const camelMine = fieldsOf(ours({}));
    const camelTheirs = fieldsOf(envoys({}));
    const extra = [...camelMine].flatMap(([name, fields]) =>
      name.startsWith('google.protobuf.') ? [] : fields.filter((f) => !camelTheirs.get(name)?.includes(f)),
    );
    expect(extra.map((field) => field.split(' ')[0]).sort()).toEqual([
      'envoy.config.core.v3.SocketAddress.networkNamespaceFilepath',
      'envoy.service.auth.v3.CheckResponse.errorResponse',
    ]);
  });
});

describe('bytes of the one read by the other', () => {
  const options = { longs: Number };
  const message = (definition: PackageDefinition, name: string) =>
    definition[`envoy.service.auth.v3.${name}`] as MessageTypeDefinition<object, object>;

  const struct = { fields: { list: { listValue: { values: [{ numberValue: 1 }, { nullValue: 0 }] } } } };
  const request = {
    attributes: {
      source: {
        address: { socketAddress: { protocol: 1, address: '192.0.2.1', portValue: 0, ipv4Compat: true } },
        service: 'front',
        labels: { app: 'front' },
        principal: 'spiffe://example.org/front',
        certificate: '-----BEGIN',
      },
      destination: { address: { pipe: { path: '/run/x.sock', mode: 384 } } },
      request: {
        time: { seconds: 1893456000, nanos: 7 },
        http: {
          id: '1',
          method: 'GET',
          headers: { ':path': '/a' },
          headerMap: { headers: [{ key: 'a', value: 'b', rawValue: Buffer.from([255]) }] },
          path: '/a',
          host: 'h',
          scheme: 'https',
          query: 'q',
          fragment: 'f',
          size: -1,
          protocol: 'HTTP/2',
          body: 'b',
          rawBody: Buffer.from([0, 255]),
        },
      },
      contextExtensions: { a: 'b' },
      metadataContext: { filterMetadata: { f: struct } },
      routeMetadataContext: { typedFilterMetadata: { f: { type_url: 't', value: Buffer.from('v') } } },
      tlsSession: { sni: 'h' },
    },
  };
  const option = {
    header: { key: 'a', value: 'b' },
    append: { value: false },
    appendAction: 2,
    keepEmptyValue: true,
  };
  const allow = {
    status: { code: 0, message: 'allowed' },
    okResponse: {
      headers: [option],
      headersToRemove: ['c'],
      responseHeadersToAdd: [option],
      queryParametersToSet: [{ key: 'k', value: 'v' }],
      queryParametersToRemove: ['r'],
    },
    dynamicMetadata: struct,
  };
  const deny = {
    status: { code: 7, message: 'no' },
    deniedResponse: { status: { code: 403 }, headers: [option], body: '{}' },
  };

  test.each([
    ['CheckRequest', request],
    ['CheckResponse', allow],
    ['CheckResponse', deny],
  ])('a %s comes out the same both ways', (name, value) => {
    const mine = message(ours(options), name);
    const theirs = message(envoys(options), name);
    expect(theirs.deserialize(mine.serialize(value))).toEqual(value);
    expect(mine.deserialize(theirs.serialize(value))).toEqual(value);
  });

  test.each([200, 302, 403, 499, 599])('HTTP status %i crosses as a number, named or not', (code) => {
    const value = { status: { code: 7 }, deniedResponse: { status: { code } } };
    const mine = message(ours(options), 'CheckResponse');
    const theirs = message(envoys(options), 'CheckResponse');
    expect(theirs.deserialize(mine.serialize(value))).toEqual(value);
    expect(mine.deserialize(theirs.serialize(value))).toEqual(value);
  });
});
