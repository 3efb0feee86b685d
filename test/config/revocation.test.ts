import { configText, parsed, reported } from './support.js';

const revocation = (text: string) => configText({ rest: `revocation: ${text}` });

test('paths are relative to the file, and a store has its defaults', () => {
  const { listen, revocation: made } = parsed(
    configText({ rest: 'listen: { admin_token_file: ./secret }' }) +
      'revocation: { file: r.jsonl, store: { url: rediss://v.example.org, password_file: pw, ca: ca.pem } }\n',
  );
  expect(listen.admin_token_file).toBe('/etc/countersign/secret');
  expect(made).toEqual({
    file: '/etc/countersign/r.jsonl',
    max_entries: 100_000,
    store: {
      url: 'rediss://v.example.org',
      password_file: '/etc/countersign/pw',
      ca: '/etc/countersign/ca.pem',
      plaintext: false,
      prefix: 'countersign',
      max_stale: 300_000,
    },
  });
});

test.each(['redis://127.0.0.1:1', 'redis://[::1]:1/2', 'redis://localhost', 'rediss://10-0-0-1.example.org'])(
  '%s may hold the list',
  (url) => {
    expect(parsed(revocation(`{ store: { url: "${url}" } }`)).revocation.store?.url).toBe(url);
  },
);

test.each([
  ['https://v.example.org', 'is not the URL of a Valkey or Redis; write rediss://host:6379'],
  ['v.example.org:6379', 'is not the URL of a Valkey or Redis; write rediss://host:6379'],
  [
    'rediss://:pw@v.example.org',
    'is a URL with a user name or a password; leave them out, and use username and password_file',
  ],
  ['rediss://v.example.org?x=1', 'has a query or a fragment; leave them out'],
  [
    'redis://v.example.org',
    'is without TLS, and of another host; write rediss://, or set plaintext: true where nobody else is on that network',
  ],
])('%s may not', (url, problem) => {
  expect(reported(revocation(`{ store: { url: "${url}" } }`))).toEqual([
    `10:29 revocation.store.url: ${problem}`,
  ]);
  if (url.startsWith('redis://'))
    expect(
      parsed(revocation(`{ store: { url: "${url}", plaintext: true } }`)).revocation.store?.plaintext,
    ).toBe(true);
});

test('what is said is kept in one place', () => {
  expect(reported(revocation('{ persistence_directory: a, store: { url: redis://localhost } }'))).toEqual([
    '10:38 revocation.persistence_directory: is given beside store, which keeps the same; leave one of the two out',
  ]);
});
