import { configText, parsed, problems, reported } from './support.js';

const level = (value: string) => configText({ rest: `log: { level: info }\nlisten:\n  grpc: ${value}` });
const grpc = (value: string, env: Record<string, string> = {}) => parsed(level(value), env).listen.grpc;

describe('a variable', () => {
  test('is filled in, alone or within a text', () => {
    expect(grpc('${ADDR}', { ADDR: '127.0.0.1:1' })).toBe('127.0.0.1:1');
    expect(grpc('${HOST}:${PORT}', { HOST: 'localhost', PORT: '2' })).toBe('localhost:2');
  });

  test('has its default where it is unset or empty, and only there', () => {
    expect(grpc('a:${PORT:-3}')).toBe('a:3');
    expect(grpc('a:${PORT:-3}', { PORT: '' })).toBe('a:3');
    expect(grpc('a:${PORT:-3}', { PORT: '4' })).toBe('a:4');
  });

  test('that is not set and has no default is an error at its own column, by name', () => {
    expect(reported(level('a:${PORT}'))).toEqual([
      '12:11 listen.grpc: the environment variable PORT is not set; set it, or write ${PORT:-default}',
    ]);
  });

  test('is not found among what every object has', () => {
    expect(reported(level('${constructor}'))[0]).toContain('constructor is not set');
  });

  test('has no say in comments', () => {
    expect(
      parsed(`# \${UNSET}\n${configText({ rest: 'log: # ${UNSET}\n  level: warn # ${}' })}`).log.level,
    ).toBe('warn');
  });

  test('is not filled in in a key, and the key is reported once', () => {
    const text = configText().replace('example.org: {', '${DOMAIN}: {');
    expect(reported(text, { DOMAIN: 'example.org' })).toEqual([
      '3:5 identity.trust_domains["${DOMAIN}"]: variables are not filled in in keys; write the name itself',
    ]);
  });

  test('cannot put structure into the file', () => {
    const text = configText({ jwks: '${JWKS}' });
    const holds = { JWKS: './a.json # {x: [y]}, clock_skew: 5m' };
    expect(parsed(text, holds).token.issuers[0]).toMatchObject({
      jwks: '/etc/countersign/a.json # {x: [y]}, clock_skew: 5m',
      clock_skew: 0,
    });
    expect(reported(text, { JWKS: 'a.json\n      clock_skew: 5m' })).toEqual([
      '9:13 token.issuers[0].jwks: is not a path; write the path of a file, not what is in it',
    ]);
  });

  test('is filled in once: what it holds is not looked through again', () => {
    const text = configText().replace('audiences: [orders]', 'audiences: ["${A}"]');
    expect(parsed(text, { A: '${B}', B: 'b' }).token.issuers[0]?.audiences).toEqual(['${B}']);
  });
});

describe('$${', () => {
  test('is a literal ${', () => {
    const text = configText().replace(
      'audiences: [orders]',
      () => 'audiences: ["$${A}", "$$${A}", "$${A}-${A}"]',
    );
    expect(parsed(text, { A: 'x' }).token.issuers[0]?.audiences).toEqual(['${A}', '$${A}', '${A}-x']);
  });
});

describe('types', () => {
  const bytes = (value: string) => configText().replace('token:', `token:\n  max_bytes: ${value}`);

  test('a variable without quotes takes the type of what it holds', () => {
    expect(parsed(bytes('${N}'), { N: '4096' }).token.max_bytes).toBe(4096);
    expect(parsed(bytes('${N:-0x10}')).token.max_bytes).toBe(16);
    expect(
      parsed(configText({ rest: 'decision_log: \n  enabled: ${LOG}' }), { LOG: 'false' }).decision_log
        .enabled,
    ).toBe(false);
  });

  test('a variable in quotes stays text', () => {
    expect(reported(bytes('"${N}"'), { N: '4096' })).toEqual([
      '6:14 token.max_bytes: has to be a whole number, and is text; write a whole number, without quotes',
    ]);
  });

  test('a variable that is part of a text stays text', () => {
    expect(reported(bytes('1${N}'), { N: '0' })[0]).toContain('is text');
  });

  test('a number where text is wanted is mended by quotes', () => {
    const text = configText().replace('audiences: [orders]', 'audiences:\n        - ${A}');
    expect(reported(text, { A: '12' })).toEqual([
      '9:11 token.issuers[0].audiences[0]: has to be text, and is a number; put it in quotes: "${A}"',
    ]);
    expect(parsed(text.replace('${A}', '"${A}"'), { A: '12' }).token.issuers[0]?.audiences).toEqual(['12']);
  });

  test('a variable that is set but empty gives no value', () => {
    expect(reported(bytes('${N}'), { N: '' })[0]).toContain('token.max_bytes: has no value');
  });
});

test.each(['${}', '${1A}', '${A-b}', '${A', '${A:-${B}}', '${A B}', '${A:b}'])(
  '%s starts no variable',
  (value) => {
    const [problem] = problems(level(`'${value}'`), { A: 'a', B: 'b' });
    expect(problem).toMatchObject({
      key: 'listen.grpc',
      line: 12,
      column: 10,
      wrong: 'has a ${ that starts no variable',
    });
  },
);

test('inside brackets and braces without quotes, the mend is quotes', () => {
  const text = configText().replace('[orders]', '[${A}]').replace('./example.org.pem', '${B}');
  expect(reported(text)).toEqual([
    '3:28 : a variable inside [ ] or { } is read as YAML; put it in quotes: "${NAME}"',
    '8:19 : a variable inside [ ] or { } is read as YAML; put it in quotes: "${NAME}"',
  ]);
});

test('an error has the text of the file, never what a variable holds', () => {
  const env = { S: 's3cr3t', URL: 'http://s3cr3t.example/', N: '-42424242' };
  const text = [
    'listen: { grpc: "${S}", admin: "x${S}" }',
    'identity:',
    '  source: ${S}',
    '  trust_domains: { a: { bundle: "${URL}" } }',
    'token:',
    '  mode: ${S}',
    '  max_bytes: ${N}',
    '  issuers:',
    '    - { issuer: "${S}", audiences: "${S}", jwks: discovery, algorithms: ["HS${S}"], profile: "${S}", max_lifetime: "${S}" }',
    '    - { issuer: "${S}", audiences: [a], jwks: "${URL}" }',
    'workers: ${N}',
    'policy: { path: "${URL}", entrypoint: "${S}!", entrypoints: ["a.${S}"], allow_request_target_rewrite: "${S}" }',
    'decision_log: { mask: ["${S}"] }',
    'log: { level: "${S}" }',
    'shutdown_grace: ${S}',
  ].join('\n');
  const lines = reported(text, env);
  expect(new Set(lines.map((line) => line.split(':')[0]))).toEqual(
    new Set(['1', '3', '4', '6', '7', '9', '10', '11', '12', '13', '14', '15']),
  );
  expect(lines.join('\n')).not.toMatch(/s3cr3t|4242/);
  expect(lines).toContain('6:9 token.mode: `${S}` is not one of its values; write required, optional or off');
});
