import { type Document, isScalar, type Scalar } from 'yaml';
import type { Fault } from './problem.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A fault in a scalar, at an offset of the file. */
export interface VariableFault extends Fault {
  readonly offset: number;
}

const ESCAPED_OR_VARIABLE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const BODY = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * Replaces `${NAME}` and `${NAME:-default}` in one scalar, in place; `$${` stands for `${`. As in a shell,
 * the default also stands in for a variable that is set but empty. A scalar without quotes that is one
 * variable and nothing else takes the type that YAML's core schema gives to the new text; every other one
 * stays a string. What a variable holds can thus change a value, never the structure around it.
 *
 * @returns what stands in the way; then the scalar is left as it was
 */
export function substituteVariables(
  document: Document,
  text: string,
  scalar: Scalar,
  environment: Environment,
): readonly VariableFault[] {
  if (typeof scalar.value !== 'string' || !scalar.value.includes('${')) return [];
  const faults: VariableFault[] = [];
  let alone = false;
  const value = scalar.value.replace(ESCAPED_OR_VARIABLE, (match, body: string | undefined, end: string) => {
    if (body === undefined) return '${';
    alone = match === scalar.value;
    const outcome = end === '' || body.includes('${') ? MALFORMED : lookUp(body, environment);
    if (typeof outcome === 'string') return outcome;
    faults.push({ ...outcome, offset: offsetOf(match, text, scalar) });
    return match;
  });
  if (faults.length === 0) scalar.value = alone && scalar.type === 'PLAIN' ? retype(document, value) : value;
  return faults;
}

const MALFORMED: Fault = {
  wrong: 'has a ${ that starts no variable',
  mend: 'write ${NAME} or ${NAME:-default}, and $${ for a literal ${',
};

function lookUp(body: string, environment: Environment): string | Fault {
  const match = BODY.exec(body);
  if (match === null) return MALFORMED;
  const name = match[1]!;
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
  const fallback = match[2];
  if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
  return (
    value ?? {
      wrong: `the environment variable ${name} is not set`,
      mend: `set it, or write \${${name}:-default}`,
    }
  );
}

/** The scalar's text in the file may differ from its value (escapes, folded lines); its start is near enough. */
function offsetOf(variable: string, text: string, scalar: Scalar): number {
  const [start, end] = scalar.range!;
  const found = text.slice(start, end).indexOf(variable);
  return found < 0 ? start : start + found;
}

/** What YAML's core schema makes of a scalar without quotes. */
function retype(document: Document, text: string): unknown {
  for (const tag of document.schema.tags) {
    if (tag.collection !== undefined || tag.default !== true || !tag.test?.test(text)) continue;
    const value = tag.resolve(text, () => undefined, document.options);
    return isScalar(value) ? value.value : value;
  }
  return text;
}
