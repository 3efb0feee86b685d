import { parseGrpc, readDescriptors } from '../../src/envoy/grpc-body.js';
import { toFacts } from '../../src/envoy/facts.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { descriptors, framed, orderBytes, withoutImports } from '../support/grpc-service.js';
import { received } from './wire.js';

const PLACE = ['shop.v1.Orders', 'Place'];
const read = (body: Buffer, path = PLACE) => parseGrpc(body, path, descriptors);

describe('a gRPC message', () => {
  test.each([
    [{}, {}],
    [{ itemName: 'tea', count: 0 }, { itemName: 'tea' }],
    [
      { id: '9007199254740993', big: '18446744073709551615' },
      { id: '9007199254740993', big: '18446744073709551615' },
    ],
    [{ kind: 'KIND_TEA' }, { kind: 'KIND_TEA' }],
    [{ proof: '+/8=' }, { proof: '+/8=' }],
    [{ gift: false }, { gift: false }],
    [{ card: '' }, { card: '' }],
    [{ tags: { b: 2, a: 0 } }, { tags: { b: 2, a: 0 } }],
    [{ lines: [{ count: 1 }, {}] }, { lines: [{ count: 1 }, {}] }],
    [{ at: '2026-01-02T03:04:05.500Z' }, { at: '2026-01-02T03:04:05.500Z' }],
    [{ wait: '1.500s' }, { wait: '1.500s' }],
    [{ extra: { a: [null, 1, 'x', true] } }, { extra: { a: [null, 1, 'x', true] } }],
    [{ limit: '0' }, { limit: '0' }],
    [{ mask: 'a,bC' }, { mask: 'a,bC' }],
    [{ price: 'NaN' }, { price: 'NaN' }],
    [
      { weight: 0.1, weights: [0.1, 3, 16777217] },
      { weight: 0.1, weights: [0.1, 3, 16777216] },
    ],
    [
      { weight: 'Infinity', lines: [{ weight: 1.1 }] },
      { weight: 'Infinity', lines: [{ weight: 1.1 }] },
    ],
    [
      { any: { '@type': 'type.googleapis.com/shop.v1.Order', count: 1 } },
      { any: { '@type': 'type.googleapis.com/shop.v1.Order', count: 1 } },
    ],
  ])('%j is read by protobuf’s JSON mapping', (json, message) => {
    expect(read(framed(orderBytes(json)))).toEqual({ kind: 'message', message });
  });

  test('of a number that its enum does not have stays that number', () => {
    expect(read(framed(Buffer.from([0x20, 0x07])))).toEqual({ kind: 'message', message: { kind: 7 } });
  });

  test('is the first one, and the whole of it', () => {
    const body = Buffer.concat([framed(orderBytes({ count: 1 })), framed(orderBytes({ count: 2 }))]);
    expect(read(body)).toEqual({ kind: 'message', message: { count: 1 } });
  });

  test('that Envoy cut off says so', () => {
    expect(read(framed(orderBytes({ itemName: 'tea' })).subarray(0, -1))).toEqual({ kind: 'truncated' });
    expect(read(framed(Buffer.alloc(0), { length: 0xffffffff }))).toEqual({ kind: 'truncated' });
  });

  test.each([
    ['compressed', framed(orderBytes({ count: 1 }), { compressed: true }), PLACE],
    ['of a service that is not described', framed(orderBytes({})), ['shop.v1.Other', 'Place']],
    ['of a method that is not described', framed(orderBytes({})), ['shop.v1.Orders', 'Cancel']],
    ['of a stream from the client', framed(orderBytes({})), ['shop.v1.Orders', 'Upload']],
    ['of something that is no service', framed(orderBytes({})), ['shop.v1.Order', 'Place']],
  ])('%s is not read', (_what, body, path) => {
    expect(read(body, path)).toEqual({ kind: 'unknown' });
  });

  test.each([
    ['shorter than its prefix', Buffer.from([0, 0, 0, 0]), PLACE],
    ['that is none', framed(Buffer.from('{"secret":1}')), PLACE],
    ['with text that is not UTF-8', framed(Buffer.from([0x0a, 0x01, 0xff])), PLACE],
    ['nested without end', framed(nested(5_000)), PLACE],
    ['of more than gRPC allows', framed(Buffer.alloc(4 * 1024 * 1024 + 1)), PLACE],
    ['at a path that is no call', framed(orderBytes({})), ['shop.v1.Orders', 'Place', '']],
  ])('%s is refused, and not quoted', (_what, body, path) => {
    const outcome = read(body, path);
    expect(outcome).toMatchObject({ code: 'request_malformed' });
    expect(JSON.stringify(outcome)).not.toContain('secret');
  });

  /** An order in an order in an order: field 6, length-delimited. */
  function nested(depth: number): Buffer {
    let inner: Buffer = Buffer.alloc(0);
    for (let i = 0; i < depth; i++) {
      const length: number[] = [];
      for (let rest = inner.length; ; rest >>= 7) {
        length.push(rest > 127 ? (rest & 127) | 128 : rest);
        if (rest <= 127) break;
      }
      inner = Buffer.concat([Buffer.from([0x32, ...length]), inner]);
    }
    return inner;
  }
});

describe('the input of a gRPC call', () => {
  const call = (body: object, type = 'application/grpc', path = '/shop.v1.Orders/Place') =>
    received({
      attributes: { request: { http: { method: 'POST', path, headers: { 'content-type': type }, ...body } } },
    });
  const input = (request: ReturnType<typeof call>, described = true) => {
    const facts = toFacts(request, described ? descriptors : undefined);
    return isRefusal(facts) ? facts.code : [facts.envoyInput.parsed_body, facts.envoyInput.truncated_body];
  };
  const body = framed(orderBytes({ itemName: 'tea' }));

  test.each(['application/grpc', 'application/grpc+proto', 'application/grpc-web', 'Application/gRPC; x=y'])(
    'has its message where the type is %s',
    (type) => expect(input(call({ rawBody: body }, type))).toEqual([{ itemName: 'tea' }, false]),
  );

  test('has none where the message is another format’s', () => {
    for (const type of [
      'application/grpc+json',
      'application/grpc-web-text',
      'text/plain; a=application/grpc',
    ])
      expect(input(call({ rawBody: body }, type))).toEqual([null, false]);
  });

  test('has none without descriptors, and none of a body that came as text', () => {
    expect(input(call({ rawBody: body }), false)).toEqual([null, false]);
    expect(input(call({ body: body.toString('latin1') }))).toEqual([null, false]);
  });

  test('trap 21: says that the message is cut off', () => {
    expect(input(call({ rawBody: body.subarray(0, 7) }))).toEqual([null, true]);
  });

  test('is taken from the canonical path', () => {
    expect(input(call({ rawBody: body }, 'application/grpc', '/x/../shop.v1.Orders/Pl%61ce'))).toEqual([
      { itemName: 'tea' },
      false,
    ]);
    expect(input(call({ rawBody: body }, 'application/grpc', '/shop.v1.Orders'))).toBe('request_malformed');
  });
});

describe('descriptors', () => {
  test.each([
    ['no descriptor set', Buffer.from('syntax = "proto3";')],
    ['an empty file', Buffer.alloc(0)],
    ['one without its imports', withoutImports],
  ])('%s is refused, with what is wrong', (_what, bytes) => {
    const outcome = readDescriptors(bytes);
    expect(outcome).toMatchObject({ code: 'proto_descriptor_invalid' });
    expect((outcome as { detail: string }).detail).toMatch(/descriptor set/);
  });
});
