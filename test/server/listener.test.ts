import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { listenOn } from '../../src/server/listener.js';
import { comeTrue } from '../support/come-true.js';

let folder: string;
const servers: Server[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'listener-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true, force: true });
});

const path = () => join(folder, 'c.sock');
const address = () => `unix://${path()}`;
const mode = async () => (await stat(path())).mode & 0o777;

function serve(): Server {
  const server = createServer((socket) => socket.destroy());
  servers.push(server);
  return server;
}

/** Whether the tests run as root, to whom no permission applies. */
const root = process.geteuid!() === 0;
const others = root ? test.skip : test;

describe('a Unix socket', () => {
  test.each([
    [undefined, 0o660],
    [0o600, 0o600],
    [0o666, 0o666],
  ])('has the permissions that are asked for, as %p', async (socketMode, expected) => {
    await listenOn(serve(), { address: address(), socketMode });
    expect(await mode()).toBe(expected);
  });

  test('has at no moment wider ones, whatever the umask, and leaves the umask as it was', async () => {
    const before = process.umask(0);
    try {
      const server = serve();
      const seen: Promise<number>[] = [];
      const listen = server.listen.bind(server) as (at: string) => Server;
      server.listen = ((at: string) => {
        const returned = listen(at);
        // It is there before anybody could be told.
        seen.push(mode());
        return returned;
      }) as never;
      await listenOn(server, { address: address(), socketMode: 0o600 });
      expect(await Promise.all(seen)).toEqual([0o600]);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(before);
    }
  });

  test('is made for its owner alone, before it is opened to a group', async () => {
    const modes = new Set<number>();
    let watching = true;
    const watch = (async () => {
      while (watching) modes.add(await mode().catch(() => 0));
    })();
    for (let n = 0; n < 50; n++) {
      const server = serve();
      await listenOn(server, { address: address() });
      await new Promise((resolve) => server.close(resolve));
    }
    watching = false;
    await watch;
    modes.delete(0);
    expect([...modes].filter((seen) => seen !== 0o600 && seen !== 0o660)).toEqual([]);
  });

  test('goes to the group that is asked for', async () => {
    const group = process.getgid!();
    await listenOn(serve(), { address: address(), socketGroup: group });
    expect((await stat(path())).gid).toBe(group);
    expect(await mode()).toBe(0o660);
  });

  others('says who has to be of the group, and leaves nothing behind', async () => {
    await expect(listenOn(serve(), { address: address(), socketGroup: 0 })).rejects.toThrow(
      /listen\.socket_group: .* cannot be given to group 0 \(EPERM\); let the user .* be one of it/,
    );
    await expect(stat(path())).rejects.toThrow('ENOENT');
  });

  test('takes the place of one whose process was killed', async () => {
    const script = `require('net').createServer().listen(${JSON.stringify(path())}, () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await expect(listenOn(serve(), { address: address() })).rejects.toThrow('another process listens on');
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    expect((await stat(path())).isSocket()).toBe(true);
    await listenOn(serve(), { address: address() });
    await new Promise<void>((resolve, reject) => connect(path(), resolve).on('error', reject));
  });

  test('is not taken from a process that lives but has no time to accept', async () => {
    const script = `require('net').createServer().listen({ path: ${JSON.stringify(path())}, backlog: 1 }, () => { console.log('up'); for (;;); })`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise((resolve) => child.stdout.once('data', resolve));
      for (let n = 0; n < 5; n++) {
        await expect(listenOn(serve(), { address: address() })).rejects.toThrow('another process listens on');
      }
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('takes no place of a file, nor of a link to a socket', async () => {
    await writeFile(path(), 'mine');
    await expect(listenOn(serve(), { address: address() })).rejects.toThrow('exists and is not a socket');
    await rm(path());
    await symlink(join(folder, 'elsewhere.sock'), path());
    await expect(listenOn(serve(), { address: address() })).rejects.toThrow('exists and is not a socket');
  });

  test('needs its folder, and says so', async () => {
    const missing = `unix://${join(folder, 'run', 'c.sock')}`;
    await expect(listenOn(serve(), { address: missing })).rejects.toThrow(
      `listen.grpc: cannot listen on ${missing}: there is no folder ${join(folder, 'run')}; make it, for the user`,
    );
    await mkdir(join(folder, 'run'));
    await listenOn(serve(), { address: missing });
  });

  others('needs a folder that it may write to, and says so', async () => {
    await chmod(folder, 0o500);
    await expect(listenOn(serve(), { address: address() })).rejects.toThrow(
      `${folder} may not be written to`,
    );
  });

  test('is gone when the server has closed', async () => {
    const server = serve();
    await listenOn(server, { address: address() });
    server.close();
    await comeTrue(() => expect(stat(path())).rejects.toThrow('ENOENT'));
  });
});
