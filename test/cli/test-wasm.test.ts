import { compareWithWasm } from '../../src/cli/test-wasm.js';
import { testReport } from '../../src/cli/test-report.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { testRego, type RegoTestResult } from '../../src/rego/tester.js';

const POLICY = `package app

allow if input.user in data.users

fetched if http.send({"method": "get", "url": "https://example.org"}).status_code == 200
`;
const TESTS = `package app_test

import data.app

ok(_) := {"status_code": 200}

test_allowed if app.allow with input as {"user": "ada"}

test_fails if app.allow with input as {"user": "eve"}

test_data if app.allow with input as {"user": "eve"} with data.users as ["eve"]

test_mocked if app.fetched with http.send as ok

test_cases[user] if {
	some user in ["ada", "eve"]
	app.allow with input as {"user": user}
}

test_fetched if not app.fetched

test_twice if true

test_twice if app.allow

todo_test_later if app.allow
`;
const SOURCES = [
  { path: 'app.rego', content: POLICY },
  { path: 'app_test.rego', content: TESTS },
  { path: 'data.json', content: '{"users": ["ada"]}' },
];

let tests: readonly RegoTestResult[];
beforeAll(async () => {
  const report = await testRego(SOURCES);
  if (isRefusal(report)) throw new Error(report.detail);
  tests = report.tests;
});

test('tests come out in Wasm as they do in OPA, mocks and cases included, or are told not to be comparable', async () => {
  const compared = await compareWithWasm(SOURCES, tests);
  expect(compared.map(({ name, differs, notComparable }) => [name, differs ?? notComparable])).toEqual([
    ['test_allowed', undefined],
    ['test_fails', undefined],
    ['test_data', undefined],
    ['test_mocked', undefined],
    ['test_cases', undefined],
    ['test_fetched', 'it calls http.send, which is not here'],
    ['test_twice', 'there are several tests of the name test_twice'],
    ['test_twice#01', 'there are several tests of the name test_twice'],
    ['todo_test_later', 'it is skipped'],
  ]);
  const { summary } = testReport({ tests: compared }, { compared: true });
  expect(summary).toMatchObject({ differing: 0, notCompared: 4 });
});

test('a difference is told, and the run is not good', async () => {
  const wrong = tests
    .filter(({ name }) => ['test_allowed', 'test_cases'].includes(name))
    .map((test) => ({
      ...test,
      outcome: test.name === 'test_allowed' ? ('fail' as const) : test.outcome,
      cases: test.cases.map((one) => ({ ...one, outcome: 'pass' as const })),
    }));
  const compared = await compareWithWasm(SOURCES, wrong);
  expect(compared.map(({ differs }) => differs)).toEqual([
    'it fails in OPA, and passes in Wasm, where it is true',
    'these cases come out otherwise in Wasm: eve (passes in OPA)',
  ]);
  const passing = compared.map((test) => ({ ...test, outcome: 'pass' as const }));
  expect(testReport({ tests: passing }, { compared: true })).toMatchObject({
    ok: false,
    summary: { differing: 2 },
  });
});
