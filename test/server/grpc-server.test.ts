import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { encodeCheckResponse } from '../../src/envoy/encode-response.js';
import type { CheckResponse } from '../../src/envoy/messages.js';
import type { UnaryCall } from '../../src/server/call.js';
import { startGrpcServer } from '../../src/server/grpc-server.js';
import { authorizationService } from '../../src/server/proto.js';

const Client = makeGenericClientConstructor(authorizationService, 'Authorization');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-grpc-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const denied = (reason: string) => encodeCheckResponse({ status: { code: 7, message: reason } });

/** One call; resolves with the status' message. */
function ask(address: string): Promise<string | undefined> {
  const client = new Client(address, credentials.createInsecure());
  return new Promise<string | undefined>((resolve, reject) => {
    client.makeUnaryRequest(
      authorizationService.Check!.path,
      authorizationService.Check!.requestSerialize,
      authorizationService.Check!.responseDeserialize,
      {},
      { deadline: Date.now() + 10_000 },
      (error, response) =>
        error ? reject(error) : resolve((response as CheckResponse | undefined)?.status.message),
    );
  }).finally(() => client.close());
}

describe('a server on a Unix socket', () => {
  test('leaves the socket of its successor alone when it has drained', async () => {
    const address = `unix://${join(folder, 'c.sock')}`;
    const waiting: UnaryCall[] = [];
    let called = () => {};
    const asked = new Promise<void>((resolve) => (called = resolve));
    const first = await startGrpcServer({
      address,
      check: (call) => {
        waiting.push(call);
        called();
      },
    });
    const held = ask(address);
    await asked;
    const drained = first.drain(10_000);
    const next = await startGrpcServer({
      address,
      check: (call) => call.answer(denied('next')),
    });
    waiting[0]!.answer(denied('first'));
    expect(await held).toBe('first');
    expect(await drained).toBe(true);
    expect(await ask(address)).toBe('next');
    await next.drain(1_000);
    await expect(stat(join(folder, 'c.sock'))).rejects.toThrow('ENOENT');
  });

  test('can be asked by its owner and group alone, and takes no place that is taken', async () => {
    const path = join(folder, 'c.sock');
    const address = `unix://${path}`;
    const check = (call: UnaryCall) => call.answer(denied('x'));
    const server = await startGrpcServer({ address, check });
    expect((await stat(path)).mode & 0o777).toBe(0o660);
    await expect(startGrpcServer({ address, check })).rejects.toThrow(`another process listens on ${path}`);
    expect(await ask(address)).toBe('x');
    await server.drain(1_000);
    await writeFile(path, 'mine');
    await expect(startGrpcServer({ address, check })).rejects.toThrow('exists and is not a socket');
  });

  test('cuts off at the end of grace what does not finish, which its caller takes as an error', async () => {
    let called = () => {};
    const asked = new Promise<void>((resolve) => (called = resolve));
    const address = `unix://${join(folder, 'c.sock')}`;
    const server = await startGrpcServer({ address, check: () => called() });
    const held = ask(address).catch((error: { code: number }) => error.code);
    await asked;
    expect(await server.drain(50)).toBe(false);
    expect([1, 14]).toContain(await held); // CANCELLED or UNAVAILABLE
  });
});
