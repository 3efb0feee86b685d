import { formatRegoErrors } from '../rego/errors.js';
import type { ComparedTest, TestReport } from './test-report.js';
import { testLines } from './test-text.js';

/** A report as CI servers read it: JUnit's XML, one suite a package, times in seconds. */
export function testJunit({ tests }: TestReport): string {
  const packages = [...new Set(tests.map((test) => test.package))];
  const suites = packages.map((name) =>
    suite(
      name,
      tests.filter((test) => test.package === name),
    ),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('')}</testsuites>\n`;
}

function suite(name: string, tests: readonly ComparedTest[]): string {
  const count = (is: (test: ComparedTest) => boolean) => tests.filter(is).length;
  const attributes = [
    `name="${escape(name)}"`,
    `tests="${tests.length}"`,
    `failures="${count(failed)}"`,
    `errors="${count(({ outcome }) => outcome === 'error')}"`,
    `skipped="${count(({ outcome }) => outcome === 'skip')}"`,
    `time="${seconds(tests.reduce((sum, { duration }) => sum + duration, 0))}"`,
  ];
  return `  <testsuite ${attributes.join(' ')}>\n${tests.map(testcase).join('')}  </testsuite>\n`;
}

function failed({ outcome, differs }: ComparedTest): boolean {
  return outcome === 'fail' || (outcome !== 'error' && differs !== undefined);
}

function testcase(test: ComparedTest): string {
  const { location, duration } = test;
  const head = `    <testcase classname="${escape(test.package)}" name="${escape(test.name)}" file="${escape(location.file)}" line="${location.row}" time="${seconds(duration)}"`;
  const inner = detail(test);
  return inner === undefined ? `${head}/>\n` : `${head}>\n      ${inner}\n    </testcase>\n`;
}

function detail(test: ComparedTest): string | undefined {
  if (test.outcome === 'skip') return '<skipped/>';
  if (test.error)
    return `<error message="${escape(test.error.message)}">${escape(formatRegoErrors([test.error]))}</error>`;
  if (!failed(test)) return undefined;
  const { location, text } = test.failure ?? { location: test.location, text: test.name };
  const message = test.differs ?? `${location.file}:${location.row}: ${text}`;
  return `<failure message="${escape(message)}">${escape(testLines(test, false).join('\n'))}</failure>`;
}

const ENTITIES: { readonly [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\t': '&#9;',
};

/** Also drops what XML 1.0 cannot hold at all. */
function escape(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\u0020-\ud7ff\ud800-\udfff\ue000-\ufffd]/g, '\ufffd')
    .replace(/[&<>"\n\t]/g, (character) => ENTITIES[character]!);
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(6);
}
