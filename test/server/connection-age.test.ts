import { connect, constants, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import type { UnaryCall } from '../../src/server/call.js';
import { frame } from '../../src/server/frame.js';
import { startGrpcServer, type GrpcServer } from '../../src/server/grpc-server.js';

let server: GrpcServer;
const sessions: ClientHttp2Session[] = [];
afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await server.drain(100);
});

const CHECK = '/envoy.service.auth.v3.Authorization/Check';
const WATCH = '/grpc.health.v1.Health/Watch';

async function serve(age: { max: number; grace: number }, check = (call: UnaryCall) => call.answer(MESSAGE)) {
  server = await startGrpcServer({ address: '127.0.0.1:0', age, check });
}

const EVERY_STREAM = 2 ** 31 - 1;
const MESSAGE = Buffer.from('hello');

function open(): ClientHttp2Session {
  const session = connect(`http://${server.address}`);
  sessions.push(session);
  return session;
}

/** Resolves with the gRPC status, or what went wrong with the stream. */
function call(session: ClientHttp2Session, path = CHECK, body: Buffer = MESSAGE): Promise<string> {
  return new Promise((resolve) => {
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
    let status = 'no status';
    let last = EVERY_STREAM;
    const goaway = (_code: number, lastStream: number) => (last = lastStream);
    session.on('goaway', goaway);
    session.setMaxListeners(20);
    stream.on('trailers', (trailers) => (status = String(trailers['grpc-status'])));
    stream.on('error', (error) => (status = error.message));
    // What this very client had not sent yet when it read of the end it refuses itself.
    stream.on('close', () => {
      session.removeListener('goaway', goaway);
      resolve(
        stream.rstCode === constants.NGHTTP2_REFUSED_STREAM && last === EVERY_STREAM ? 'not sent' : status,
      );
    });
    stream.resume();
    stream.end(frame(body));
  });
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('a connection that has reached its age is replaced again and again, and no call is lost', async () => {
  await serve({ max: 50, grace: 5_000 });
  let connections = 0;
  const outcomes = new Map<string, number>();
  const until = performance.now() + 2_000;
  async function caller() {
    let session: ClientHttp2Session | undefined;
    while (performance.now() < until) {
      if (session === undefined || session.closed || session.destroyed) {
        connections++;
        session = open();
      }
      // Several at once, so that some are always on their way.
      for (const outcome of await Promise.all([call(session), call(session), call(session)]))
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  }
  await Promise.all([caller(), caller(), caller(), caller()]);
  expect(connections).toBeGreaterThan(20);
  outcomes.delete('not sent');
  expect([...outcomes.keys()]).toEqual(['0']);
  expect(outcomes.get('0')).toBeGreaterThan(200);
}, 10_000);

test('ages of connections that were opened together differ', async () => {
  await serve({ max: 1_000, grace: 5_000 });
  const began = performance.now();
  const ages = await Promise.all(
    Array.from({ length: 40 }, () => {
      const session = open();
      return new Promise<number>((resolve) => session.on('goaway', () => resolve(performance.now() - began)));
    }),
  );
  expect(Math.min(...ages)).toBeGreaterThan(890);
  expect(Math.max(...ages) - Math.min(...ages)).toBeGreaterThan(50);
});

test('a call that is under way finishes on the old connection', async () => {
  const waiting: UnaryCall[] = [];
  await serve({ max: 50, grace: 5_000 }, (asked) => void waiting.push(asked));
  const session = open();
  const gone = new Promise((resolve) => session.once('goaway', resolve));
  const outcome = call(session);
  await gone;
  await pause(100);
  waiting[0]!.answer(MESSAGE);
  expect(await outcome).toBe('0');
});

test('a call that does not finish is cut off at the end of the grace', async () => {
  await serve({ max: 50, grace: 100 }, () => {});
  const session = open();
  session.on('error', () => {});
  const began = performance.now();
  expect(await call(session)).not.toBe('0');
  expect(performance.now() - began).toBeGreaterThan(140);
});

test('a watch of health is ended by its connection: it is for its caller to watch again', async () => {
  await serve({ max: 50, grace: 60_000 });
  expect(await call(open(), WATCH, Buffer.alloc(0))).toBe('14');
});

test('a caller that does not read for a while is asked to go all the same, and the server lives on', async () => {
  const answer = Buffer.alloc(60_000);
  await serve({ max: 300, grace: 20_000 }, (asked) => asked.answer(answer));
  const [host, port] = server.address.split(':');
  const caller = connectTcp(Number(port), host);
  caller.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  // As much as the server likes: SETTINGS_INITIAL_WINDOW_SIZE, and WINDOW_UPDATE for the connection.
  caller.write(http2Frame(4, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff])));
  caller.write(http2Frame(8, 0, 0, Buffer.from([0x7f, 0, 0, 0])));
  const headers = Buffer.concat(
    Object.entries({
      ':method': 'POST',
      ':scheme': 'http',
      ':authority': 'x',
      ':path': CHECK,
      'content-type': 'application/grpc',
    }).map(([name, value]) => Buffer.from(`\0${hpackText(name)}${hpackText(value)}`)),
  );
  for (let stream = 1; stream < 800; stream += 2) {
    caller.write(http2Frame(1, 4, stream, headers));
    caller.write(http2Frame(0, 1, stream, Buffer.alloc(5)));
  }
  // More than the system holds for one connection: what the server writes has to wait.
  await pause(500);
  let received = 0;
  let tail = Buffer.alloc(0);
  caller.on('data', (bytes: Buffer) => {
    received += bytes.length;
    tail = Buffer.concat([tail, bytes]).subarray(-4096);
  });
  while (received < 400 * answer.length) await pause(20);
  await pause(400);
  caller.destroy();
  // A GOAWAY that refuses nothing came, whole and between two frames.
  expect(tail.includes(http2Frame(7, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])))).toBe(true);
  expect(await call(open())).toBe('0');
});

function http2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.from([0, 0, 0, type, flags, 0, 0, 0, 0]);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** A literal of HPACK (RFC 7541 section 5.2), not shortened. */
function hpackText(text: string): string {
  return String.fromCharCode(text.length) + text;
}
