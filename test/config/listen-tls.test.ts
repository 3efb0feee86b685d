import { parsed, problems, reported } from './support.js';

const config = (listen: string, identity = '') =>
  [
    `listen: ${listen}`,
    `identity: { trust_domains: { example.org: { bundle: ./b.pem } } ${identity} }`,
    'policy: { path: ./policies }',
    'token: { mode: "off" }',
    '',
  ].join('\n');
const tls = (text: string) => config(`{ grpc: '0.0.0.0:9191', tls: ${text} }`);
const CLIENTS = 'clients: [spiffe://example.org/ns/edge/sa/gateway]';

test('listen.tls has its SVID from the Workload API, or from files, which are relative to the configuration', () => {
  expect(parsed(tls(`{ workload_api: true, ${CLIENTS} }`)).listen.tls).toEqual({
    workload_api: true,
    clients: ['spiffe://example.org/ns/edge/sa/gateway'],
  });
  expect(
    parsed(tls("{ certificate: a.pem, private_key: keys/a.key, clients: ['spiffe://example.org/**'] }"))
      .listen.tls,
  ).toEqual({
    certificate: '/etc/countersign/a.pem',
    private_key: '/etc/countersign/keys/a.key',
    clients: ['spiffe://example.org/**'],
  });
});

test.each([
  [
    `{ ${CLIENTS} }`,
    'listen.tls: has no source of an X.509-SVID; add workload_api: true, or certificate and private_key',
  ],
  [`{ certificate: a, ${CLIENTS} }`, 'listen.tls: has a certificate alone; add its private_key'],
  [`{ private_key: a, ${CLIENTS} }`, 'listen.tls: has a private_key alone; add the certificate'],
  [
    `{ workload_api: true, certificate: a, private_key: b, ${CLIENTS} }`,
    'listen.tls.certificate: stands beside workload_api',
  ],
  [
    `{ certificate: a, private_key: b, spiffe_id: spiffe://example.org/a, ${CLIENTS} }`,
    'listen.tls.spiffe_id: is for workload_api',
  ],
  [
    '{ workload_api: true, clients: [spiffe://example.org] }',
    'listen.tls.clients[0]: `spiffe://example.org` is no pattern for SPIFFE IDs',
  ],
  [
    '{ workload_api: true, clients: [spiffe://other.example/a] }',
    'listen.tls.clients[0]: is of a trust domain that is not known; add other.example to identity.trust_domains',
  ],
  ['{ workload_api: true, clients: [] }', 'listen.tls.clients'],
  ['{ workload_api: true }', 'listen.tls.clients'],
])('%s is refused, with what is wrong', (text, wrong) => {
  expect(reported(tls(text)).join('\n')).toContain(wrong);
});

test('clients may be of any trust domain where the agent says which there are', () => {
  const text = config(
    `{ tls: { workload_api: true, clients: ['spiffe://other.example/a'] } }`,
    ', workload_api: { federated: all, socket: "unix:///run/a.sock" }',
  );
  expect(parsed(text).listen.tls?.clients).toEqual(['spiffe://other.example/a']);
});

const SOCKET = 'grpc: unix:///run/countersign/countersign.sock';

test('a Unix socket has a mode, and a group by name or by number', () => {
  expect(parsed(config(`{ ${SOCKET} }`)).listen).toMatchObject({ socket_mode: '0660' });
  expect(parsed(config(`{ ${SOCKET}, socket_mode: '0600', socket_group: envoy }`)).listen).toMatchObject({
    socket_mode: '0600',
    socket_group: 'envoy',
  });
  expect(parsed(config(`{ ${SOCKET}, socket_group: 1337 }`)).listen.socket_group).toBe(1337);
});

test.each([
  [`{ ${SOCKET}, socket_mode: 0660 }`, 'listen.socket_mode'],
  [`{ ${SOCKET}, socket_mode: '0066' }`, 'is not the mode of a socket'],
  [`{ ${SOCKET}, socket_mode: '660x' }`, 'is not the mode of a socket'],
  [`{ ${SOCKET}, socket_mode: '2660' }`, 'is not the mode of a socket'],
  [`{ ${SOCKET}, socket_group: 'a b' }`, 'is no group'],
  [`{ ${SOCKET}, socket_group: -1 }`, 'is no group'],
  ["{ grpc: '127.0.0.1:1', socket_mode: '0600' }", 'says nothing, while grpc is no Unix socket'],
  ["{ grpc: '127.0.0.1:1', socket_group: envoy }", 'says nothing, while grpc is no Unix socket'],
])('%s is refused', (listen, wrong) => {
  expect(problems(config(listen))).toHaveLength(1);
  expect(reported(config(listen))[0]).toContain(wrong);
});
