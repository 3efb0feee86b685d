import { create, fromJson, toBinary, type JsonValue } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label as Label,
  type FieldDescriptorProto_Type,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt';
import { readDescriptors } from '../../src/envoy/grpc-body.js';
import { isRefusal } from '../../src/errors/refusal.js';

const imports = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
].map(({ proto }) => proto);

type Field = Partial<Omit<FieldDescriptorProto, '$typeName' | '$unknown'>>;

const field = (number: number, name: string, type: FieldDescriptorProto_Type, rest: Field = {}) => ({
  name,
  number,
  type,
  label: Label.OPTIONAL,
  ...rest,
});
const message = (number: number, name: string, typeName: string, rest: Field = {}) =>
  field(number, name, Type.MESSAGE, { typeName, ...rest });

/** `shop.v1.Orders`, with a field of every kind that protobuf's JSON mapping treats in a way of its own. */
const file = create(FileDescriptorProtoSchema, {
  name: 'shop/v1/orders.proto',
  package: 'shop.v1',
  syntax: 'proto3',
  dependency: imports.map(({ name }) => name),
  enumType: [
    {
      name: 'Kind',
      value: [
        { name: 'KIND_UNSPECIFIED', number: 0 },
        { name: 'KIND_TEA', number: 1 },
      ],
    },
  ],
  messageType: [
    {
      name: 'Order',
      field: [
        field(1, 'item_name', Type.STRING),
        field(2, 'count', Type.INT32),
        field(3, 'id', Type.INT64),
        field(4, 'kind', Type.ENUM, { typeName: '.shop.v1.Kind' }),
        field(5, 'proof', Type.BYTES),
        message(6, 'lines', '.shop.v1.Order', { label: Label.REPEATED }),
        message(7, 'tags', '.shop.v1.Order.TagsEntry', { label: Label.REPEATED }),
        field(8, 'gift', Type.BOOL, { proto3Optional: true, oneofIndex: 1 }),
        field(9, 'card', Type.STRING, { oneofIndex: 0 }),
        field(10, 'iban', Type.STRING, { oneofIndex: 0 }),
        message(11, 'at', '.google.protobuf.Timestamp'),
        field(12, 'price', Type.DOUBLE),
        field(13, 'weight', Type.FLOAT),
        message(14, 'extra', '.google.protobuf.Struct'),
        message(15, 'limit', '.google.protobuf.Int64Value'),
        message(16, 'wait', '.google.protobuf.Duration'),
        field(17, 'big', Type.UINT64),
        message(18, 'mask', '.google.protobuf.FieldMask'),
        message(19, 'any', '.google.protobuf.Any'),
        field(20, 'weights', Type.FLOAT, { label: Label.REPEATED }),
      ],
      oneofDecl: [{ name: 'payment' }, { name: '_gift' }],
      nestedType: [
        {
          name: 'TagsEntry',
          field: [field(1, 'key', Type.STRING), field(2, 'value', Type.INT32)],
          options: { mapEntry: true },
        } as unknown as DescriptorProto,
      ],
    },
  ],
  service: [
    {
      name: 'Orders',
      method: [
        { name: 'Place', inputType: '.shop.v1.Order', outputType: '.shop.v1.Order' },
        { name: 'Watch', inputType: '.shop.v1.Order', outputType: '.shop.v1.Order', serverStreaming: true },
        { name: 'Upload', inputType: '.shop.v1.Order', outputType: '.shop.v1.Order', clientStreaming: true },
      ],
    },
  ],
});

const set: FileDescriptorSet = create(FileDescriptorSetSchema, { file: [...imports, file] });
/** The descriptor set, as protoc writes it; `withoutImports` as it does without --include_imports. */
export const descriptorSet = Buffer.from(toBinary(FileDescriptorSetSchema, set));
export const withoutImports = Buffer.from(
  toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [file] })),
);

const read = readDescriptors(descriptorSet);
if (isRefusal(read)) throw new Error(read.detail);
export const descriptors = read;
const { registry } = descriptors;
const order = registry.getMessage('shop.v1.Order')!;

/** An order on the wire, without its prefix. */
export function orderBytes(json: JsonValue): Buffer {
  return Buffer.from(toBinary(order, fromJson(order, json, { registry })));
}

/** A message with its prefix. */
export function framed(message: Buffer, { compressed = false, length = message.length } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = compressed ? 1 : 0;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}
