import { INPUT_SCHEMA } from '../../src/decision/input-schema.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { checkRego, type RegoCheckReport, type RegoSchema } from '../../src/rego/checker.js';
import type { RegoSource } from '../../src/rego/source.js';

const INPUT: RegoSchema = { name: 'input', path: 'input.schema.json', content: JSON.stringify(INPUT_SCHEMA) };
const dataSchema = (schema: object): RegoSchema => ({
  name: 'data',
  path: 'schemas/data.schema.json',
  content: JSON.stringify(schema),
});

async function check(
  rules: string,
  { schemas = [] as RegoSchema[], others = [] as RegoSource[], entrypoints = [] as string[] } = {},
): Promise<RegoCheckReport> {
  const content = `package app\n\n${rules}\n`;
  const report = await checkRego([{ path: 'app.rego', content }, ...others], {
    schemas: [INPUT, ...schemas],
    entrypoints,
    defaultEntrypoint: 'app/decision',
  });
  if (isRefusal(report)) throw new Error(report.detail);
  return report;
}

/** `row:col code: message` of each, without the first three rows that every policy here has. */
function said(found: RegoCheckReport['errors']): string[] {
  return found.map(
    ({ location, code, message }) => `${location?.row}:${location?.col} ${code}: ${message.split('\n')[0]}`,
  );
}

describe('the schema of the input', () => {
  test('makes a misspelt member an error at the very name, with the one that was meant', async () => {
    const { errors } = await check('allow if input.identity.spifee_id == "x"');
    expect(errors).toEqual([
      {
        code: 'rego_type_error',
        message:
          'input.identity has no spifee_id: did you mean spiffe_id?\n' +
          'it has: destination, fingerprint, namespace, not_after, path, service_account, source, spiffe_id, trust_domain',
        location: { file: 'app.rego', row: 3, col: 25 },
        lineText: 'allow if input.identity.spifee_id == "x"',
      },
    ]);
  });

  test('holds through variables, imports and iteration', async () => {
    const { errors } = await check(`import input.token

allow if {
	who := input.identity
	who.spifee_id == "x"
}

allow if token.scope == "a"

allow if {
	some scope in input.token.scopes
	scope == 5
}`);
    expect(said(errors)).toEqual([
      '7:6 rego_type_error: who has no spifee_id: did you mean spiffe_id?',
      '10:16 rego_type_error: input.token has no scope: did you mean scopes?',
      '14:2 rego_type_error: these are never equal',
    ]);
  });

  test('finds a name that stands elsewhere, what has no members, and lists that are compared with a value', async () => {
    const { errors } = await check(
      'a if input.claims.sub == "x"\n\nb if input.request.path[0] == "a"\n\nc if input.token.scopes == "a"',
    );
    expect(errors.map(({ message }) => message.split('\n'))).toEqual([
      ['input has no claims: did you mean input.token.claims?', expect.stringMatching(/^it has: attributes/)],
      ['input.request.path has no members: it is a string'],
      [
        'these are never equal',
        'left  : array[string]',
        'right : string',
        '`in` asks whether a list holds a value: "a" in input.token.scopes',
      ],
    ]);
  });

  test('leaves open what anyone may name: headers, claims, the body, metadata', async () => {
    const { errors, warnings } = await check(`default allow := false

allow if {
	input.attributes.request.http.headers["x-tenant"] == "a"
	input.token.claims.tenant.id == 5
	input.parsed_body.items[0].count > 1
	input.token.actor.sub == "a"
	input.attributes.contextExtensions.zone == "z"
	input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].a.b == 1
}`);
    expect([errors, warnings]).toEqual([[], []]);
  });
});

describe('names that are not there', () => {
  test.each([
    [
      'allow if is_admn\n\nis_admin if input.request.method == "GET"',
      'var is_admn is unsafe: did you mean is_admin?',
    ],
    [
      'allow if starts_with(input.request.path, "/")',
      'undefined function starts_with: did you mean startswith?',
    ],
    ['allow if zzz', 'var zzz is unsafe'],
  ])('%j: %s', async (rules, message) => {
    const { errors } = await check(rules);
    expect(errors.map((error) => error.message)).toEqual([message]);
  });

  test('in data are a warning, since a server may have data that a folder has not', async () => {
    const { warnings } = await check('allow if input.request.method in data.methds', {
      others: [{ path: 'data.json', content: '{"methods": ["GET"]}' }],
    });
    expect(said(warnings)).toEqual([
      '3:34 unknown_data: nothing defines data.methds: no rule, no data file and no schema: did you mean data.methods?',
    ]);
  });
});

describe('strictness', () => {
  test('finds imports, variables and arguments that nobody uses', async () => {
    const { errors } = await check('import data.foo\n\nallow if {\n\tx := 1\n}\n\nf(y) := 1');
    expect(said(errors)).toEqual([
      '3:1 rego_compile_error: import data.foo unused',
      '6:2 rego_compile_error: assigned var x unused',
      expect.stringContaining('unused argument y') as string,
    ]);
  });

  test('tells of all of many errors', async () => {
    const rules = Array.from({ length: 25 }, (_, i) => `r${i} if input.nowhere${i}`).join('\n\n');
    expect((await check(rules)).errors).toHaveLength(25);
  });
});

describe('schemas of a folder', () => {
  const ROUTES = dataSchema({
    type: 'object',
    properties: {
      app: {
        type: 'object',
        properties: { routes: { type: 'array', items: { $ref: '#/$defs/route' } } },
      },
    },
    $defs: {
      route: {
        type: 'object',
        required: ['method'],
        properties: { method: { type: 'string' }, path: { type: 'string' } },
      },
    },
  });

  test('hold policies to the data, beside the rules of the same package', async () => {
    const { errors } = await check(
      `allow if {
	some route in data.app.routes
	route.methd == "GET"
	covers(route)
	data.app.open
}

open if input.request.method == "GET"

covers(route) if startswith(input.request.path, route.path)`,
      { schemas: [ROUTES] },
    );
    expect(said(errors)).toEqual(['5:8 rego_type_error: route has no methd: did you mean method?']);
  });

  test('hold data files to it, by line', async () => {
    const { errors } = await check('allow := true', {
      schemas: [ROUTES],
      others: [{ path: 'app/data.yaml', content: 'routes:\n  - method: GET\n    path: 5\n  - path: /a\n' }],
    });
    expect(errors.map(({ code, location }) => [code, location])).toEqual([
      ['data_schema_error', { file: 'app/data.yaml', row: 3, col: 11 }],
      ['data_schema_error', { file: 'app/data.yaml', row: 4, col: 5 }],
    ]);
    expect(errors[0]!.message).toContain('data.app.routes.0.path: Invalid type. Expected: string');
    expect(errors[0]!.lineText).toBe('    path: 5');
  });

  test('take a name from annotations', async () => {
    const { errors } = await check(
      `# METADATA
# schemas:
#   - data.tenants: schema.shop.tenants
allow if data.tenants.nmes`,
      {
        schemas: [
          {
            name: 'shop/tenants',
            path: 'schemas/shop/tenants.schema.json',
            content: '{"type": "object", "properties": {"names": {"type": "array"}}}',
          },
        ],
      },
    );
    expect(said(errors)).toEqual(['6:23 rego_type_error: data.tenants has no nmes: did you mean names?']);
  });

  test.each([
    ['{"type": "objekt"}', 'schema_invalid', 1],
    ['{"type": "object",\n "properties": }', 'schema_parse_error', 2],
    ['[]', 'schema_invalid', 1],
    ['{"$ref": "https://schemas.example.org/a.json"}', 'schema_invalid', 1],
  ])('that are none are told by file: %s', async (content, code, row) => {
    const path = 'schemas/data.schema.json';
    const { errors } = await check('allow := true', { schemas: [{ name: 'data', path, content }] });
    expect(errors.map((error) => [error.code, error.location?.file, error.location?.row])).toEqual([
      [code, path, row],
    ]);
  });
});

describe('a warning tells what can never be true', () => {
  test.each([
    ['1 == 2', 'this is never true'],
    ['not true', 'this is never true'],
    [
      'input.request.method == "GET"\n\tinput.request.method == "PUT"',
      'line 4 asks for input.request.method == "GET"',
    ],
    [
      'input.request.method != "GET"\n\t"GET" == input.request.method',
      'line 4 asks for input.request.method != "GET"',
    ],
    ['n := count(input.token.scopes)\n\tn > 5\n\tn <= 5', 'line 5 asks for n > 5'],
    ['input.token.subject\n\tnot input.token.subject', 'line 4 asks for the opposite'],
    ['input.token.binding == "x5t"', 'input.token.binding is one of "none", "x5t#S256"'],
    ['is_never', 'no rule app.is_never can hold'],
  ])('%j', async (body, message) => {
    const { errors, warnings } = await check(
      `allow if {\n\t${body}\n}\n\nis_never if { 1 > 2 }\n\nis_used if is_never`,
    );
    expect(errors).toEqual([]);
    const own = warnings.filter(({ location }) => location!.row <= 3 + body.split('\n').length);
    expect(own.map(({ code }) => code)).toEqual(['never_true']);
    expect(own[0]!.message).toContain(message);
    expect(own[0]!.location!.row).toBe(3 + body.split('\n').length);
  });

  test('and an else that is never reached', async () => {
    const { warnings } = await check('x := 1 if true\n\nelse := 2');
    expect(said(warnings)).toEqual([
      '5:1 never_true: this else is never reached: what stands before it always holds',
    ]);
  });

  test('and keeps still about what may be true', async () => {
    const { warnings } = await check(`default allow := false

allow if {
	input.token.scopes[_] == "a"
	input.token.scopes[_] == "b"
	some x in input.token.scopes
	x != "c"
	x != "d"
	count(input.token.scopes) > 1
	count(input.token.scopes) < 5
	input.token.binding == "x5t#S256"
	not data.app.other with input as {}
	data.app.other
	input.request.method >= "GET"
	input.request.method <= "GET"
}

other if input.request.method == "GET"

other if input.request.method == "PUT"`);
    expect(warnings).toEqual([]);
  });
});

describe('a warning tells of an entrypoint that may be undefined', () => {
  test('by its name, with the mend', async () => {
    const { warnings, entrypoints } = await check('decision := true if input.request.method == "GET"');
    expect(entrypoints).toEqual(['app/decision']);
    expect(said(warnings)).toEqual([expect.stringMatching(/^3:1 no_default: .*`default decision := …`$/)]);
  });

  test.each([
    'default decision := false\n\ndecision if input.request.method == "GET"',
    'decision := concat(",", ["a"]) if open\n\ndecision := 2 if not open\n\nopen if input.request.method == "GET"',
    'decision := 1 if {\n\tinput.request.method == "GET"\n} else := 2',
    'decision contains "a" if input.request.method == "GET"',
    'decision := {"allowed": false}',
  ])('but not of %j', async (rules) => {
    expect((await check(rules)).warnings).toEqual([]);
  });

  test('and takes those that are asked for or declared', async () => {
    const rules =
      '# METADATA\n# entrypoint: true\na := 1 if input.request.method\n\nb := 1 if input.request.method';
    const { warnings, entrypoints } = await check(rules, { entrypoints: ['app/b'] });
    expect(entrypoints).toEqual(['app/a', 'app/b']);
    expect(warnings.map(({ location }) => location!.row)).toEqual([5, 7]);
    expect((await check(rules, { entrypoints: ['app/c'] })).errors).toMatchObject([
      { code: 'entrypoint_invalid', message: 'entrypoint "app/c" names no rule and no package' },
    ]);
  });
});

describe('a warning tells of what is not verified', () => {
  test.each([
    ['input.attributes.request.http.headers.authorization', 'unverified_token', 'use input.token'],
    [
      'input.attributes.request.http.headers["x-forwarded-client-cert"]',
      'unverified_identity',
      'use input.identity',
    ],
    ['input.attributes.request.http.headers["X-Tenant"]', 'header_case', '"x-tenant" is'],
    ['input.source_principal', 'unverified_identity', 'use input.identity.spiffe_id'],
    ['input.attributes.source.principal', 'unverified_identity', 'use input.identity.spiffe_id'],
    [
      'object.get(input, ["attributes", "source", "principal"], "")',
      'unverified_identity',
      'use input.identity',
    ],
    [
      'object.get(input.attributes.request.http.headers, "authorization", "")',
      'unverified_token',
      'use input.token',
    ],
  ])('%s', async (ref, code, mend) => {
    const { warnings } = await check(`default allow := false\n\nallow if ${ref} == "x"`);
    expect(warnings).toMatchObject([{ code, location: { row: 5, col: 10 } }]);
    expect(warnings[0]!.message).toContain(mend);
  });
});

test('a warning tells of an unverified header behind a variable, and of a pattern that is none', async () => {
  const { warnings } = await check(`default allow := false

allow if {
	http := input.attributes.request.http
	headers := http.headers
	headers.authorization == "x"
}

allow if regex.match("(", input.request.path)`);
  expect(said(warnings)).toEqual([
    expect.stringMatching(/^8:2 unverified_token: /),
    expect.stringMatching(/^11:10 pattern_invalid: this is always undefined: .*missing closing/),
  ]);
});

describe('what does not parse is told with the mend', () => {
  test.each([
    ['defalt allow := false', 'var cannot be used for rule name: did you mean default?'],
    ['allow if {\n\tinput.token', 'something that was opened with {, [ or ( is not closed'],
    ['allow { input.token }', '`if` keyword is required before rule body'],
  ])('%j', async (rules, message) => {
    const { errors } = await check(rules);
    expect(errors[0]!.message).toContain(message);
  });
});

describe('tests beside the policies', () => {
  const others = [
    {
      path: 'app_test.rego',
      content:
        'package app_test\n\nimport data.app\n\ntest_a if app.allow with input as {"source_principal": "x"} with data.x as 1\n\ntest_b if { 1 == 2 }\n',
    },
  ];

  test('are compiled, but not warned about', async () => {
    expect(await check('allow if input.request.method == "GET"', { others })).toMatchObject({
      errors: [],
      warnings: [],
    });
  });

  test('are not there for a policy that leans on them', async () => {
    const { errors } = await check('allow if data.app_test.helper(1)', {
      others: [{ path: 'help_test.rego', content: 'package app_test\n\nhelper(x) if x == 1\n' }],
    });
    expect(errors).toMatchObject([{ code: 'rego_type_error', location: { file: 'app.rego', row: 3 } }]);
  });
});
