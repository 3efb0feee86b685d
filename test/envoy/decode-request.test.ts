import fc from 'fast-check';
import { decodeCheckRequest } from '../../src/envoy/decode-request.js';
import type { CheckRequest } from '../../src/envoy/messages.js';
import { authorizationService } from '../../src/server/proto.js';

const { requestSerialize, requestDeserialize } = authorizationService['Check']!;
const encode = (request: CheckRequest) => requestSerialize(request);
const byLibrary = (bytes: Buffer) => requestDeserialize(bytes) as CheckRequest;

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }).map((t) => t.toWellFormed()),
);
const texts = fc.dictionary(text, text, { maxKeys: 4 });
const raw = fc.uint8Array({ maxLength: 8 }).map((octets) => Buffer.from(octets));
const some = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { requiredKeys: [] });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant({ nullValue: 0 }),
    fc.double().map((numberValue) => ({ numberValue })),
    text.map((stringValue) => ({ stringValue })),
    fc.boolean().map((boolValue) => ({ boolValue })),
    fc.dictionary(text, tie('value'), { maxKeys: 3 }).map((fields) => ({ structValue: { fields } })),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => ({ listValue: { values } })),
  ),
}));
const metadata = some({
  filterMetadata: fc.dictionary(text, some({ fields: fc.dictionary(text, value, { maxKeys: 3 }) }), {
    maxKeys: 2,
  }),
  typedFilterMetadata: fc.dictionary(text, some({ type_url: text, value: raw }), { maxKeys: 2 }),
});
const address = fc.oneof(
  some({
    socketAddress: fc.oneof(
      some({ protocol: fc.nat(1), address: text, portValue: uint32, ipv4Compat: fc.boolean() }),
      some({ namedPort: text, resolverName: text, networkNamespaceFilepath: text }),
    ),
  }),
  some({ pipe: some({ path: text, mode: uint32 }) }),
  some({ envoyInternalAddress: some({ serverListenerName: text, endpointId: text }) }),
);
const peer = some({ address, service: text, labels: texts, principal: text, certificate: text });
const http = some({
  ...{ id: text, method: text, headers: texts, path: text, host: text, scheme: text, query: text },
  ...{ fragment: text, size: fc.maxSafeInteger(), protocol: text, body: text, rawBody: raw },
  headerMap: some({ headers: fc.array(some({ key: text, value: text, rawValue: raw }), { maxLength: 3 }) }),
});
const time = some({ seconds: fc.maxSafeInteger(), nanos: fc.integer() });
const request = some({
  attributes: some({
    ...{ source: peer, destination: peer, request: some({ time, http }), contextExtensions: texts },
    ...{ metadataContext: metadata, routeMetadataContext: metadata, tlsSession: some({ sni: text }) },
  }),
}) as fc.Arbitrary<CheckRequest>;

test('every CheckRequest comes out as protobufjs has it', () => {
  fc.assert(
    fc.property(request, (asked) => {
      const bytes = encode(asked);
      expect(decodeCheckRequest(bytes)).toEqual(byLibrary(bytes));
    }),
    { numRuns: 500 },
  );
});

test('a CheckRequest that is cut off is refused, or it is a shorter one to protobufjs, too', () => {
  fc.assert(
    fc.property(request, fc.nat(), (asked, cut) => {
      const whole = encode(asked);
      const bytes = whole.subarray(0, whole.length === 0 ? 0 : cut % whole.length);
      expect(outcome(() => decodeCheckRequest(bytes))).toEqual(outcome(() => byLibrary(bytes)));
    }),
  );
});

test('bytes that were changed on the way are a request or a RangeError, never anything else', () => {
  fc.assert(
    fc.property(request, fc.nat(), fc.nat(255), (asked, place, octet) => {
      const bytes = Buffer.from(encode(asked));
      if (bytes.length > 0) bytes[place % bytes.length] = octet;
      try {
        expect(typeof decodeCheckRequest(bytes)).toBe('object');
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }),
  );
});

test('fields of a later version of the API are passed over, whatever their wire type', () => {
  const later = Buffer.from([
    ...[0xa0, 0x06, 0xff, 0x01], // field 100, a varint
    ...[0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8], // 64 bits
    ...[0xa2, 0x06, 3, 1, 2, 3], // with a length
    ...[0xa5, 0x06, 1, 2, 3, 4], // 32 bits
  ]);
  const inner = Buffer.concat([later, Buffer.from([0x62, 3, 0x0a, 1, 0x68]), later]); // tls_session { sni: "h" }
  const bytes = Buffer.concat([later, Buffer.from([0x0a, inner.length]), inner, later]);
  expect(decodeCheckRequest(bytes)).toEqual({ attributes: { tlsSession: { sni: 'h' } } });
});

test.each([
  ['a message longer than the one around it', [0x0a, 4, 0x62, 4, 0x0a, 2, 0x68, 0x68]],
  ['a number of more than ten bytes', [0x08, ...new Array<number>(10).fill(0xff), 1]],
  ['a group', [0x0b, 0x0c]],
  ['field 0', [0x00, 0x00]],
])('%s is refused', (_, octets) => {
  expect(() => decodeCheckRequest(Buffer.from(octets))).toThrow(RangeError);
});

test('metadata nested more deeply than protobuf allows is refused, and does not use up the stack', () => {
  let value = Buffer.from([0x1a, 1, 0x61]); // string_value: "a"
  const wrap = (field: number, inside: Buffer) =>
    Buffer.concat([Buffer.from([field]), length(inside), inside]);
  for (let depth = 0; depth < 1_000; depth++) value = wrap(0x32, wrap(0x0a, value)); // list_value { values }
  const entry = wrap(
    0x0a,
    Buffer.concat([Buffer.from([0x0a, 0]), wrap(0x12, wrap(0x0a, wrap(0x12, value)))]),
  );
  expect(() => decodeCheckRequest(wrap(0x0a, wrap(0x5a, entry)))).toThrow('nested too deeply');
});

test('a certificate that comes again is the same text, and one that differs in a byte is not', () => {
  const read = (certificate: string) =>
    decodeCheckRequest(encode({ attributes: { source: { certificate } } })).attributes!.source!.certificate;
  const certificate = 'a'.repeat(2000);
  expect(read(certificate)).toBe(certificate);
  for (let at = 0; at < 2000; at += 7) {
    const other = `${certificate.slice(0, at)}b${certificate.slice(at + 1)}`;
    expect(read(other)).toBe(other);
  }
  expect(read(certificate)).toBe(certificate);
});

const REFUSED = 'refused';

function outcome(decode: () => CheckRequest): CheckRequest | typeof REFUSED {
  try {
    return decode();
  } catch {
    return REFUSED;
  }
}

function length(bytes: Buffer): Buffer {
  const out: number[] = [];
  let rest = bytes.length;
  for (; rest > 0x7f; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  return Buffer.from([...out, rest]);
}
