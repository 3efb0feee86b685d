import { listenOptions, warnOfExposure } from '../../src/cli/engine/endpoint.js';
import { parsed } from '../config/support.js';

const config = (listen: string) =>
  parsed(
    `listen: ${listen}\nidentity: { trust_domains: { example.org: { bundle: ./b.pem } } }\npolicy: { path: ./p }\ntoken: { mode: "off" }\n`,
  );

/** What the log says at start of a server that listens so. */
function warned(listen: string): string[] {
  const lines: string[] = [];
  warnOfExposure(config(listen), { warn: (_: unknown, text: string) => void lines.push(text) } as never);
  return lines;
}

const TLS = 'tls: { workload_api: true, clients: [spiffe://example.org/a] }';

test.each(['0.0.0.0:9191', '10.0.0.1:9191', '[::]:9191', 'countersign.mesh.svc:9191', '127.0.0.1.example:1'])(
  'whoever listens on %s without TLS is warned, once',
  (address) => {
    expect(warned(`{ grpc: '${address}' }`)).toEqual([expect.stringContaining('add listen.tls')]);
    expect(warned(`{ grpc: '${address}', ${TLS} }`)).toEqual([]);
  },
);

test.each(['127.0.0.1:9191', '127.1.2.3:9191', '[::1]:9191', 'localhost:9191', 'unix:///run/c.sock'])(
  'whoever listens on %s is not',
  (address) => {
    expect(warned(`{ grpc: '${address}' }`)).toEqual([]);
  },
);

test('a socket that everybody may write to is warned of', () => {
  expect(warned("{ grpc: unix:///run/c.sock, socket_mode: '0666' }")).toEqual([
    expect.stringContaining('every user of this machine may ask'),
  ]);
  expect(warned("{ grpc: unix:///run/c.sock, socket_mode: '0664' }")).toEqual([]);
});

test('the mode of a socket is octal, and its group has a number; a port has neither', async () => {
  expect(
    await listenOptions(config("{ grpc: unix:///run/c.sock, socket_mode: '0640', socket_group: 7 }")),
  ).toEqual({
    address: 'unix:///run/c.sock',
    socketMode: 0o640,
    socketGroup: 7,
  });
  expect(await listenOptions(config("{ grpc: '127.0.0.1:1' }"))).toEqual({ address: '127.0.0.1:1' });
  await expect(
    listenOptions(config('{ grpc: unix:///run/c.sock, socket_group: nobody-of-this-name }')),
  ).rejects.toThrow('/etc/group has no group nobody-of-this-name; write its number');
});
