/** A header value such as `multipart/form-data; boundary=x`, taken apart. */
export interface ParameterizedValue {
  /** Lower-case, without its parameters. */
  readonly value: string;
  /** By lower-case name. Quotes are gone, backslashes in them stay. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const VALUE = new RegExp(`[ \\t]*(${TOKEN}(?:/${TOKEN})?)[ \\t]*`, 'y');
const PARAMETER = new RegExp(`;[ \\t]*(?:(${TOKEN})=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)"))?[ \\t]*`, 'y');

/**
 * Reads a value with parameters (RFC 9110 section 5.6.6), as Content-Type and Content-Disposition have them.
 *
 * @returns undefined when it is malformed or repeats a parameter: readers differ in which one they take
 */
export function parseParameters(text: string): ParameterizedValue | undefined {
  VALUE.lastIndex = 0;
  const head = VALUE.exec(text);
  if (head === null) return undefined;
  const parameters = new Map<string, string>();
  for (let at = VALUE.lastIndex; at < text.length; at = PARAMETER.lastIndex) {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(text);
    if (match === null) return undefined;
    const [, name, token, quoted] = match;
    if (name === undefined) continue;
    if (parameters.has(name.toLowerCase())) return undefined;
    parameters.set(name.toLowerCase(), token ?? quoted ?? '');
  }
  return { value: head[1]!.toLowerCase(), parameters };
}
