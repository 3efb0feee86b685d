import { configText, parsed, problems, reported } from './support.js';

test.each([
  ['an empty file', '', '1:1 : the file is empty; start with the keys identity, token and policy'],
  [
    'a file of comments',
    '# nothing\n',
    '1:1 : the file is empty; start with the keys identity, token and policy',
  ],
  [
    'a list',
    '- a\n',
    '1:1 : the file is not a mapping of keys to values; start with the keys identity, token and policy',
  ],
  [
    'a text',
    '\nhello\n',
    '2:1 : the file is not a mapping of keys to values; start with the keys identity, token and policy',
  ],
  ['a tab as indentation', 'listen:\n\tgrpc: a:1\n', '2:1 : a tab is used to indent; indent with spaces'],
  ['a key given twice', 'a: 1\nb: 2\na: 3\n', '3:1 : this key is given twice; keep one of the two'],
  [
    'a second document',
    `${configText()}---\na: 1\n`,
    '10:1 : a second YAML document starts here; keep one document in the file',
  ],
  ['a mapping as a key', '? {a: b}\n: c\n', '1:3 : this key is not a name; write a plain name as the key'],
  ['an unknown tag', 'a: !secret b\n', '1:4 : a YAML tag is used; leave the !tag out'],
])('%s is refused where it stands', (_, text, problem) => {
  expect(reported(text)).toEqual([problem]);
});

test.each(['a: "b\n', 'a: [b\n', 'a: b: c\n', 'a: @b\n', 'a: {b\n', '%NO directive\n---\na: 1\n'])(
  'broken YAML %j is one problem, with its line',
  (text) => {
    const [problem, ...others] = problems(text);
    expect(problem?.wrong).toContain('the YAML is broken');
    expect(problem?.line).toBeGreaterThan(0);
    expect(others).toEqual([]);
  },
);

test('all duplicate keys are reported', () => {
  expect(problems('a: 1\na: 2\nb: 1\nb: 2\n').map(({ line }) => line)).toEqual([2, 4]);
});

test('a known tag is refused like an unknown one', () => {
  expect(reported(configText({ rest: 'workers: !!int "1"' }))[0]).toContain('workers: a YAML tag is used');
});

test('a %YAML 1.1 directive does not turn off into false', () => {
  expect(parsed(`%YAML 1.1\n---\n${configText({ rest: 'listen: { admin: off }' })}`).listen.admin).toBe(
    'off',
  );
});

test('a byte order mark and CRLF lines change nothing', () => {
  expect(parsed(`\uFEFF${configText().replaceAll('\n', '\r\n')}`)).toEqual(parsed(configText()));
});

test('columns count from 1 in CRLF files too', () => {
  expect(reported(configText({ rest: 'workers: 0' }).replaceAll('\n', '\r\n'))[0]).toMatch(/^10:10 workers/);
});

describe('aliases', () => {
  const both = (first: string, second: string) => configText().replace('audiences: [orders]', first) + second;

  test('stand for what they name', () => {
    const text = both('audiences: &ours [orders]', '    - { issuer: b, audiences: *ours, jwks: ./b.json }\n');
    expect(parsed(text).token.issuers[1]?.audiences).toEqual(['orders']);
  });

  test('that stand for something wrong point to themselves', () => {
    const text = both('audiences: &ours [1]', '    - { issuer: b, audiences: *ours, jwks: ./b.json }\n');
    expect(problems(text).map(({ line, key }) => [line, key])).toEqual([
      [8, 'token.issuers[0].audiences[0]'],
      [8, 'token.issuers[1].audiences[0]'],
    ]);
    const scalar = both('audiences: [&n 1]', '    - { issuer: *n, audiences: [a], jwks: ./b.json }\n');
    expect(problems(scalar).map(({ line, column }) => [line, column])).toEqual([
      [8, 22],
      [10, 17],
    ]);
  });

  test('are filled in with variables once', () => {
    const text = both('audiences: &ours ["${A}"]', '    - { issuer: b, audiences: *ours, jwks: ./b.json }\n');
    expect(parsed(text, { A: '$${B}' }).token.issuers[1]?.audiences).toEqual(['$${B}']);
    expect(reported(text)).toHaveLength(1);
  });

  test('without an anchor are refused', () => {
    expect(reported(configText({ rest: 'log: *level' }))).toEqual([
      '10:6 log: the alias has no anchor before it; write the value out; text that starts with * goes in quotes',
    ]);
  });

  test('of what they are in are refused', () => {
    expect(reported('a: &a\n  b: [*a]\n')).toEqual([
      '2:7 a.b[0]: the alias stands for something that it is part of; write the value out; text that starts with * goes in quotes',
    ]);
  });

  test('that multiply to a bomb are refused', () => {
    const lines = ['a0: &a0 [x, x]'];
    for (let i = 1; i < 12; i++) lines.push(`a${i}: &a${i} [*a${i - 1}, *a${i - 1}, *a${i - 1}]`);
    expect(reported(lines.join('\n'))).toEqual([
      '1:1 : the aliases (*name) stand for too much; write the values out',
    ]);
  });

  test('are refused from the 101st on, with one problem', () => {
    const text = `a: &a 1\nb: [${Array.from({ length: 1000 }, () => '*a').join(', ')}]\n`;
    expect(reported(text)).toEqual(['2:405 b[100]: more than 100 aliases (*name); write the values out']);
  });
});

test.each(['[', '{a: ', '- ', '? ', '{? '])(
  '100,000 times %j is refused before it fills the stack',
  (open) => {
    expect(reported(open.repeat(100_000))).toEqual([
      '1:1 : nests too deeply; no key needs more than six levels',
    ]);
  },
);
