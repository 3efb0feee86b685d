import { ConfigError, formatKey } from '../../src/config/problem.js';

test.each([
  [[], ''],
  [['listen', 'grpc'], 'listen.grpc'],
  [['token', 'issuers', 0, 'audiences', 1], 'token.issuers[0].audiences[1]'],
  [['identity', 'trust_domains', 'example.org', 'bundle'], 'identity.trust_domains["example.org"].bundle'],
  [['a\n"b'], '["a\\n\\"b"]'],
])('%j is written %s', (path, key) => {
  expect(formatKey(path)).toBe(key);
});

test('problems are sorted by place, those of the whole file first', () => {
  const problem = { file: 'c.yaml', key: 'a', wrong: 'is bad', mend: 'mend it' };
  const error = new ConfigError([
    { ...problem, line: 2, column: 9 },
    { ...problem, line: 10, column: 1 },
    { ...problem, line: 2, column: 3, key: '' },
    problem,
  ]);
  expect(error.message).toBe(
    [
      'c.yaml: a: is bad; mend it',
      'c.yaml:2:3: is bad; mend it',
      'c.yaml:2:9: a: is bad; mend it',
      'c.yaml:10:1: a: is bad; mend it',
    ].join('\n'),
  );
  expect(error.problems).toHaveLength(4);
});
