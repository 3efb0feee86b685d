import { connect, type ClientHttp2Session } from 'node:http2';
import { setTimeout as elapsed } from 'node:timers/promises';
import type { UnaryCall } from '../../src/server/call.js';
import { frame } from '../../src/server/frame.js';
import { startGrpcServer, type GrpcServer } from '../../src/server/grpc-server.js';

const CHECK = '/envoy.service.auth.v3.Authorization/Check';
const HEALTH = '/grpc.health.v1.Health/Check';

let server: GrpcServer;
let decided: string[];
let dropped: string[];
const sessions: ClientHttp2Session[] = [];

/** A server whose decisions take as many milliseconds of the processor as their requests say. */
async function start(maxWaiting?: number): Promise<void> {
  decided = [];
  dropped = [];
  server = await startGrpcServer({
    address: '127.0.0.1:0',
    check(call: UnaryCall) {
      const [name, milliseconds] = call.message.toString().split(' ');
      const until = performance.now() + Number(milliseconds);
      while (performance.now() < until);
      decided.push(name!);
      call.answer(call.message);
    },
    onDrop: (cause) => dropped.push(cause),
    ...(maxWaiting !== undefined && { maxWaiting }),
  });
  server.setServing(true);
}

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await server.drain(100);
});

function session(): ClientHttp2Session {
  const made = connect(`http://${server.address}`);
  made.on('error', () => {});
  sessions.push(made);
  return made;
}

function send(by: ClientHttp2Session, text: string, headers: object = {}, path = CHECK) {
  const stream = by.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    ...headers,
  });
  const status = new Promise<string>((resolve) => {
    const take = (got: { 'grpc-status'?: string | string[] | undefined }) => {
      if (got['grpc-status'] !== undefined) resolve(String(got['grpc-status']));
    };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('error', () => {});
    stream.on('close', () => resolve(`reset ${stream.rstCode}`));
  });
  stream.resume();
  stream.end(frame(Buffer.from(text)));
  return { stream, status };
}

async function connected(): Promise<ClientHttp2Session> {
  const made = session();
  expect(await send(made, 'warm 0').status).toBe('0');
  return made;
}

describe('a server with more to do than it can', () => {
  test('does not begin what its caller has given up', async () => {
    await start();
    const by = await connected();
    const busy = send(by, 'busy 100');
    const behind = Array.from({ length: 5 }, (_, n) => send(by, `behind-${n} 1`));
    // What is sent now is read only after the busy one, as what comes right behind it is.
    for (const { stream } of behind.slice(1, 4)) stream.close(8);
    expect(await busy.status).toBe('0');
    expect(await Promise.all(behind.map(({ status }) => status))).toEqual([
      '0',
      'reset 8',
      'reset 8',
      'reset 8',
      '0', // prettier-ignore
    ]);
    expect(decided).toEqual(['warm', 'busy', 'behind-0', 'behind-4']);
  });

  test('trap 5: does not begin what is too late, and says so', async () => {
    await start();
    const by = await connected();
    const busy = send(by, 'busy 60');
    const late = Array.from({ length: 20 }, (_, n) => send(by, `late-${n} 20`, { 'grpc-timeout': '50m' }));
    const patient = send(by, 'patient 1', { 'grpc-timeout': '20S' });
    expect(await busy.status).toBe('0');
    const statuses = await Promise.all(late.map(({ status }) => status));
    expect(statuses.at(-1)).toBe('4');
    expect(await patient.status).toBe('0');
    const begun = decided.filter((name) => name.startsWith('late')).length;
    expect(begun).toBeLessThan(20);
    expect(dropped).toEqual(Array(20 - begun).fill('deadline'));
    expect(statuses.filter((status) => status === '4')).toHaveLength(20 - begun);
  });

  test('refuses what comes when too many wait, and serves those', async () => {
    await start(3);
    const by = await connected();
    const all = Array.from({ length: 10 }, (_, n) => send(by, `${n} 20`));
    const statuses = await Promise.all(all.map(({ status }) => status));
    expect(new Set(statuses)).toEqual(new Set(['0', '14']));
    const served = statuses.filter((status) => status === '0').length;
    expect(decided).toHaveLength(served + 1);
    expect(dropped).toEqual(Array(10 - served).fill('overload'));
    await elapsed(50);
    expect(await send(by, 'after 0').status).toBe('0');
  });

  test('serves each connection in turn, and health checks at once', async () => {
    await start();
    const [flood, calm] = [await connected(), await connected()];
    const many = Array.from({ length: 100 }, (_, n) => send(flood, `flood-${n} 6`));
    await many[0]!.status;
    const one = send(calm, 'calm 0');
    const health = send(calm, '', {}, HEALTH);
    expect(await one.status).toBe('0');
    expect(await health.status).toBe('0');
    // Turns of 6 ms each: by the time that the calm one is read no more than a few have been served.
    expect(decided.indexOf('calm')).toBeLessThan(60);
    expect((await Promise.all(many.map(({ status }) => status))).every((status) => status === '0')).toBe(
      true,
    );
  });
});
