import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { frame } from '../../src/server/frame.js';
import { startGrpcServer, type GrpcServer } from '../../src/server/grpc-server.js';
import type { UnaryCall } from '../../src/server/call.js';

let server: GrpcServer;
let session: ClientHttp2Session;
let check: (call: UnaryCall) => void;

beforeEach(async () => {
  check = (call) => call.answer(call.message);
  server = await startGrpcServer({ address: '127.0.0.1:0', check: (call) => check(call) });
  session = connect(`http://${server.address}`);
});
afterEach(async () => {
  session.destroy();
  await server.drain(100);
});

interface Told {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const CHECK = '/envoy.service.auth.v3.Authorization/Check';

/** One request as bytes; what came back. */
function ask(body: Buffer, more: { [name: string]: string } = {}): Promise<Told> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': CHECK,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...more,
    });
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on('response', (got) => (headers = got));
    stream.on('trailers', (got) => (trailers = got));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => resolve({ headers, trailers, body: Buffer.concat(chunks) }));
    stream.on('error', reject);
    stream.end(body);
  });
}

const message = Buffer.from('hello');

describe('gRPC over HTTP/2', () => {
  test('answers with a message and the status in trailers', async () => {
    const told = await ask(frame(message));
    expect(told.headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc' });
    expect(told.trailers['grpc-status']).toBe('0');
    expect(told.body).toEqual(frame(message));
  });

  test('reads a message that arrives in pieces, and one that is compressed', async () => {
    const large = Buffer.alloc(300_000, 'x');
    expect((await ask(frame(large))).body).toEqual(frame(large));
    const packed = frame(gzipSync(message));
    packed[0] = 1;
    expect((await ask(packed, { 'grpc-encoding': 'gzip' })).body).toEqual(frame(message));
  });

  const bomb = frame(gzipSync(Buffer.alloc(9 * 1024 * 1024)));
  bomb[0] = 1;
  const unknown = frame(message);
  unknown[0] = 1;
  test.each([
    ['no message', Buffer.alloc(0), {}, '13'],
    ['half a message', frame(message).subarray(0, 7), {}, '13'],
    ['two messages', Buffer.concat([frame(message), frame(message)]), {}, '13'],
    ['a message beyond the limit', frame(Buffer.alloc(8 * 1024 * 1024 + 1)), {}, '8'],
    ['one that grows beyond it', bomb, { 'grpc-encoding': 'gzip' }, '8'],
    ['a compression that is not known', unknown, { 'grpc-encoding': 'zstd' }, '12'],
    ['a broken compression', unknown, { 'grpc-encoding': 'gzip' }, '13'],
    ['a broken timeout', frame(message), { 'grpc-timeout': '1y' }, '13'],
    ['another method', frame(message), { ':path': '/x.Y/Z' }, '12'],
  ])('refuses %s with a status', async (_, body, headers, status) => {
    const told = await ask(body, headers);
    expect(told.headers).toMatchObject({ ':status': 200, 'grpc-status': status });
    expect(told.body).toHaveLength(0);
    // The connection lives on.
    expect((await ask(frame(message))).trailers['grpc-status']).toBe('0');
  });

  test('answers 415 to what is not gRPC', async () => {
    expect((await ask(message, { 'content-type': 'application/json' })).headers[':status']).toBe(415);
  });

  test.each([
    ['200m', 200],
    ['2S', 2_000],
    ['100000u', 100],
    ['1M', 60_000],
  ])('takes a timeout of %s for that many milliseconds', async (timeout, milliseconds) => {
    let deadline = 0;
    check = (call) => {
      ({ deadline } = call);
      call.answer(message);
    };
    const before = Date.now();
    await ask(frame(message), { 'grpc-timeout': timeout });
    expect(deadline).toBeGreaterThanOrEqual(before + milliseconds);
    expect(deadline).toBeLessThanOrEqual(Date.now() + milliseconds);
  });

  test('trap 5: a call without an answer at its deadline ends there, and an answer after it goes nowhere', async () => {
    let held: UnaryCall | undefined;
    check = (call) => (held = call);
    const told = await ask(frame(message), { 'grpc-timeout': '50m' });
    expect(told.headers['grpc-status']).toBe('4');
    expect(() => held!.answer(message)).not.toThrow();
  });

  test('tells a handler that its caller has given up', async () => {
    const called = new Promise<UnaryCall>((resolve) => (check = resolve));
    const stream = session.request({ ':method': 'POST', ':path': CHECK, 'content-type': 'application/grpc' });
    stream.on('error', () => {});
    stream.end(frame(message));
    const call = await called;
    expect(call.cancelled).toBe(false);
    stream.close(8);
    for (let tries = 0; tries < 100 && !call.cancelled; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(call.cancelled).toBe(true);
    expect(() => call.answer(message)).not.toThrow();
  });
});

describe('grpc.health.v1.Health', () => {
  const serviceRequest = (name: string) =>
    frame(
      name === '' ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]),
    );
  const status = (body: Buffer) => [...body].slice(5);

  test.each(['', 'envoy.service.auth.v3.Authorization'])('tells how "%s" stands', async (name) => {
    const path = { ':path': '/grpc.health.v1.Health/Check' };
    expect(status((await ask(serviceRequest(name), path)).body)).toEqual([0x08, 2]);
    server.setServing(true);
    expect(status((await ask(serviceRequest(name), path)).body)).toEqual([0x08, 1]);
  });

  test('does not know other services', async () => {
    const told = await ask(serviceRequest('x'), { ':path': '/grpc.health.v1.Health/Check' });
    expect(told.headers['grpc-status']).toBe('5');
  });

  test('tells a watcher of each change, and ends when the server drains', async () => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Watch',
      'content-type': 'application/grpc',
    });
    const seen: number[] = [];
    stream.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += 7) seen.push(chunk[at + 6]!);
    });
    const ended = new Promise((resolve) => stream.on('end', resolve));
    stream.end(serviceRequest(''));
    const until = async (count: number) => {
      for (let tries = 0; tries < 100 && seen.length < count; tries++)
        await new Promise((resolve) => setTimeout(resolve, 10));
    };
    await until(1);
    server.setServing(true);
    await until(2);
    const drained = server.drain(1_000);
    await ended;
    expect(seen).toEqual([2, 1, 2]);
    session.close();
    expect(await drained).toBe(true);
  });
});
