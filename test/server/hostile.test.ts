import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as elapsed } from 'node:timers/promises';
import type { UnaryCall } from '../../src/server/call.js';
import { frame } from '../../src/server/frame.js';
import { startGrpcServer, type GrpcServer } from '../../src/server/grpc-server.js';

const CHECK = '/envoy.service.auth.v3.Authorization/Check';
const WATCH = '/grpc.health.v1.Health/Watch';

let server: GrpcServer;
const open: { destroy(): void }[] = [];

async function start(limits: { upkeep?: number; maxArriving?: number }): Promise<void> {
  server = await startGrpcServer({
    address: '127.0.0.1:0',
    check: (call: UnaryCall) => call.answer(call.message),
    ...limits,
  });
}

afterEach(async () => {
  for (const one of open.splice(0)) one.destroy();
  await server.drain(100);
});

function session(): ClientHttp2Session {
  const made = connectHttp2(`http://${server.address}`);
  made.on('error', () => {});
  open.push(made);
  return made;
}

/** A request whose end is not sent; how its stream ends: a gRPC status, or the code it was reset with. */
function unended(by: ClientHttp2Session, body: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const stream = by.request({ ':method': 'POST', ':path': CHECK, 'content-type': 'application/grpc' });
    stream.on('response', (got) => {
      if (got['grpc-status'] !== undefined) resolve(`status ${String(got['grpc-status'])}`);
    });
    stream.on('error', () => {});
    stream.on('close', () => resolve(`reset ${stream.rstCode}`));
    stream.resume();
    stream.write(body);
  });
}

/** Whether a request of a new connection is answered. */
async function works(): Promise<boolean> {
  const stream = session().request({ ':method': 'POST', ':path': CHECK, 'content-type': 'application/grpc' });
  let status: unknown;
  stream.on('trailers', (got) => (status = got['grpc-status']));
  stream.on('error', () => {});
  stream.resume();
  stream.end(frame(Buffer.from('hello')));
  await new Promise((resolve) => stream.on('close', resolve));
  return status === '0';
}

/** RFC 9113 section 4.1. */
function http2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** RFC 7541 section 6.2.2: literals, without indexing. */
const field = (name: string, value: string) =>
  Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);

const END_STREAM = 1;
const END_HEADERS = 4;

const requestFrame = (path: string) =>
  http2Frame(
    1,
    END_HEADERS,
    1,
    Buffer.concat([
      field(':method', 'POST'),
      field(':scheme', 'http'),
      field(':path', path),
      field(':authority', 'x'),
      field('content-type', 'application/grpc'),
    ]),
  );
const dataFrame = (bytes: Buffer) => http2Frame(0, END_STREAM, 1, bytes);
const resetFrame = (code: number) => http2Frame(3, 0, 1, Buffer.from([0, 0, 0, code]));

/** A connection that sends these frames at once. */
function send(...frames: Buffer[]): Socket {
  const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  open.push(socket);
  const settings = http2Frame(4, 0, 0, Buffer.alloc(0));
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings, ...frames]));
  return socket;
}

const empty = frame(Buffer.alloc(0));

test.each([
  ['a check', CHECK],
  ['a watch of health', WATCH],
  ['a method that is not there', '/x.Y/Z'],
])('%s that its caller resets at once, with any code, ends nothing else', async (_what, path) => {
  await start({});
  for (const code of [0, 8])
    for (const frames of [[], [dataFrame(empty)], [dataFrame(Buffer.alloc(1))]])
      send(requestFrame(path), ...frames, resetFrame(code));
  await elapsed(200);
  expect(await works()).toBe(true);
});

test.each([
  ['a check', CHECK],
  ['a watch of health', WATCH],
  ['a method that is not there', '/x.Y/Z'],
])('%s that does not arrive is ended after a while', async (_what, path) => {
  await start({ upkeep: 100 });
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc' };
  const stream = session().request(headers);
  stream.on('error', () => {});
  stream.resume();
  const closed = new Promise<string>((resolve) => stream.on('close', () => resolve('closed')));
  expect(await Promise.race([closed, elapsed(3_000, 'open', { ref: false })])).toBe('closed');
});

test('an answer that its caller does not take is not kept for it', async () => {
  await start({ upkeep: 100 });
  const closedWindow = connectHttp2(`http://${server.address}`, { settings: { initialWindowSize: 0 } });
  open.push(closedWindow);
  const stream = closedWindow.request({
    ':method': 'POST',
    ':path': CHECK,
    'content-type': 'application/grpc',
  });
  stream.on('error', () => {});
  stream.resume();
  stream.end(frame(Buffer.from('hello')));
  const closed = new Promise<string>((resolve) => stream.on('close', () => resolve('closed')));
  expect(await Promise.race([closed, elapsed(3_000, 'open', { ref: false })])).toBe('closed');
});

test('requests that are never ended hold no more memory together than they may', async () => {
  await start({ maxArriving: 100_000 });
  const greedy = session();
  const most = [1, 2].map(() => unended(greedy, Buffer.alloc(45_000)));
  await elapsed(100);
  expect(await unended(greedy, Buffer.alloc(45_000))).toBe('status 8');
  expect(await works()).toBe(true);
  // What they held is free when they are gone.
  greedy.destroy();
  await Promise.all(most);
  await elapsed(100);
  const next = unended(session(), Buffer.alloc(90_000));
  expect(await Promise.race([next, elapsed(200, 'waits', { ref: false })])).toBe('waits');
});

test('a connection that breaks the protocol and leaves does not stay open on our side', async () => {
  await start({ upkeep: 100 });
  const socket = send(requestFrame(CHECK), dataFrame(empty), dataFrame(empty));
  await elapsed(50);
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve('closed')));
  expect(await Promise.race([closed, elapsed(3_000, 'open', { ref: false })])).toBe('closed');
});

test('a connection whose peer does not answer a ping is closed, and one that does is not', async () => {
  await start({ upkeep: 100 });
  const alive = session();
  const dead = send();
  const closed = new Promise<string>((resolve) => dead.on('close', () => resolve('closed')));
  expect(await Promise.race([closed, elapsed(3_000, 'open', { ref: false })])).toBe('closed');
  await elapsed(300);
  expect(alive.destroyed).toBe(false);
});

test('a watch that begins while the server drains does not keep it', async () => {
  await start({});
  const watch = watchOf(session());
  await elapsed(100);
  const drained = server.drain(2_000);
  await elapsed(50);
  watch.end(empty);
  expect(await drained).toBe(true);
});

function watchOf(by: ClientHttp2Session) {
  const stream = by.request({ ':method': 'POST', ':path': WATCH, 'content-type': 'application/grpc' });
  stream.on('error', () => {});
  stream.resume();
  return stream;
}
