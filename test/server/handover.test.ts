import { connect, type Socket } from 'node:net';
import { startHandover, type Handover, type Taker } from '../../src/server/handover.js';

class FakeTaker implements Taker {
  readonly given: Socket[] = [];
  connections = 0;
  give(socket: Socket) {
    this.given.push(socket);
    this.connections++;
  }
}

let handover: Handover;
const clients: Socket[] = [];
const takers: FakeTaker[] = [];
let taking: readonly FakeTaker[] = [];
beforeEach(async () => {
  takers.splice(0, takers.length, new FakeTaker(), new FakeTaker(), new FakeTaker());
  taking = takers;
  handover = await startHandover({ address: '127.0.0.1:0', takers: () => taking });
});
afterEach(() => {
  for (const socket of [...clients.splice(0), ...takers.flatMap(({ given }) => given)]) socket.destroy();
  handover.close();
});

const given = () => takers.map(({ given: sockets }) => sockets.length);

async function call(times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    const before = given().join();
    const [host, port] = handover.address.split(':');
    const client = connect(Number(port), host);
    clients.push(client);
    await new Promise((resolve) => client.once('connect', resolve));
    client.on('error', () => {});
    if (taking.length > 0)
      for (let tries = 0; tries < 200 && given().join() === before; tries++)
        await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('connections go to whoever has the fewest', async () => {
  await call(6);
  expect(given()).toEqual([2, 2, 2]);
  takers[1]!.connections = 0;
  await call(2);
  expect(given()).toEqual([2, 4, 2]);
});

test('of several with as few, to the one that was given none for the longest', async () => {
  await call(1);
  takers[0]!.connections = 0;
  await call(1);
  expect(given()).toEqual([1, 1, 0]);
  takers[1]!.connections = 0;
  await call(1);
  expect(given()).toEqual([1, 1, 1]);
});

test('with nobody there they wait, unread, and go to the first who is', async () => {
  taking = [];
  await call(2);
  clients[0]!.write('hello');
  await new Promise((resolve) => setTimeout(resolve, 50));
  taking = [takers[2]!];
  handover.settle();
  expect(given()).toEqual([0, 0, 2]);
  const read = await new Promise<string>((resolve) =>
    takers[2]!.given[0]!.once('data', (bytes: Buffer) => resolve(bytes.toString())).resume(),
  );
  expect(read).toBe('hello');
});

test('an address that is taken is told with the key to mend', async () => {
  await expect(startHandover({ address: handover.address, takers: () => [] })).rejects.toThrow(
    /listen\.grpc: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
  );
});
