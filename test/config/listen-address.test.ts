import { isFault, parseListenAddress } from '../../src/config/listen-address.js';

test.each([
  ['127.0.0.1:9191', { host: '127.0.0.1', port: 9191 }],
  ['0.0.0.0:0', { host: '0.0.0.0', port: 0 }],
  ['[::1]:9191', { host: '::1', port: 9191 }],
  ['[::]:65535', { host: '::', port: 65535 }],
  ['localhost:80', { host: 'localhost', port: 80 }],
  ['ext_authz.mesh-a.svc:80', { host: 'ext_authz.mesh-a.svc', port: 80 }],
  ['unix:///run/countersign.sock', { socketPath: '/run/countersign.sock' }],
])('%s is an address to listen on', (text, address) => {
  expect(parseListenAddress(text)).toEqual(address);
});

test.each([
  ['', 'host:port'],
  ['9191', 'host:port'],
  [':9191', 'host name'],
  ['127.0.0.1', 'host:port'],
  ['127.0.0.1:', 'host:port'],
  ['127.0.0.1:http', 'host:port'],
  ['127.0.0.1:65536', '0 to 65535'],
  ['127.0.0.256:80', 'IP address'],
  ['-a:80', 'host name'],
  ['a b:80', 'host name'],
  ['::1:9191', 'brackets'],
  ['::1', 'brackets'],
  ['[::1]', 'host:port'],
  ['[127.0.0.1]:80', '[::1]:9191'],
  ['http://127.0.0.1:80', 'host:port'],
  ['unix:/run/a.sock', 'unix:///run/countersign.sock'],
  ['unix://run/a.sock', 'unix:///run/countersign.sock'],
  ['unix://', 'unix:///run/countersign.sock'],
  ['unix:///run/', 'unix:///run/countersign.sock'],
])('%j is none, and the mend has %j', (text, mend) => {
  const outcome = parseListenAddress(text);
  expect(isFault(outcome) && outcome.mend).toContain(mend);
});

test('a socket path of 107 bytes is accepted, one of 108 refused, as the kernel would', () => {
  const path = `/${'é'.repeat(53)}`;
  expect(parseListenAddress(`unix://${path}`)).toEqual({ socketPath: path });
  expect(isFault(parseListenAddress(`unix://${path}a`))).toBe(true);
});
