import { BuiltinError } from '../builtin.js';
import { parseUrl } from '../go-url.js';
import { parseAddress } from '../ip.js';
import { compilePattern } from '../pattern.js';
import { parseTime } from '../time-parse.js';

type Format = (text: string) => boolean;

const FULL_TIME = '15:04:05Z07:00';
const PARTIAL_TIME = '15:04:05';
const DATE = '2006-01-02';
const RFC3339 = '2006-01-02T15:04:05Z07:00';

const LABEL = /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

/** The formats that gojsonschema checks; every other one is as good as none. */
const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ['date', (text) => isTime(text, DATE)],
  ['time', (text) => isTime(text, FULL_TIME, PARTIAL_TIME)],
  ['date-time', (text) => isTime(text, PARTIAL_TIME, FULL_TIME, DATE, RFC3339)],
  ['hostname', (text) => text.length < 256 && text.split('.').every((label) => LABEL.test(label))],
  ['email', isEmail],
  ['idn-email', isEmail],
  ['ipv4', (text) => text.includes('.') && parseAddress(text) !== undefined],
  ['ipv6', (text) => text.includes(':') && parseAddress(text) !== undefined],
  ['uri', (text) => (url(text)?.scheme ?? '') !== ''],
  ['uri-reference', (text) => url(text) !== undefined],
  ['iri', (text) => (url(text)?.scheme ?? '') !== ''],
  ['iri-reference', (text) => url(text) !== undefined],
  ['uri-template', isTemplate],
  ['uuid', (text) => /^[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$/i.test(text)],
  ['regex', (text) => text === '' || holds(() => compilePattern(text))],
  ['json-pointer', (text) => text === '' || isPointer(text)],
  [
    'relative-json-pointer',
    (text) => /^(?:0|[1-9][0-9]*)(?:#|(?:\/.*)?)$/s.test(text) && !/~(?![01])/.test(text),
  ],
]);

export function hasFormat(name: string, text: string): boolean {
  return FORMATS.get(name)?.(text) ?? true;
}

function holds(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (error instanceof BuiltinError) return false;
    throw error;
  }
}

function isTime(text: string, ...layouts: readonly string[]): boolean {
  return layouts.some((layout) => holds(() => parseTime(layout, text)));
}

function url(text: string): ReturnType<typeof parseUrl> | undefined {
  if (text.includes('\\')) return undefined;
  try {
    return parseUrl(Buffer.from(text).toString('latin1'));
  } catch (error) {
    if (error instanceof BuiltinError) return undefined;
    throw error;
  }
}

/** Braces that close, none within another. */
function isTemplate(text: string): boolean {
  const parsed = url(text);
  if (parsed === undefined) return false;
  const { path } = parsed;
  for (let at = path.indexOf('{'); at >= 0; at = path.indexOf('{', at)) {
    at = path.indexOf('}', at);
    if (at < 0) return false;
  }
  return true;
}

function isPointer(text: string): boolean {
  return text.startsWith('/') && !/~(?![01])/.test(text);
}

/** An address of RFC 5322, with a name before it or without, as far as anybody writes one. */
function isEmail(text: string): boolean {
  const match = /^(?:[^<>@]*<([^<>]*)>\s*|\s*([^<>\s]*)\s*)$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? '';
  const at = address.lastIndexOf('@');
  if (at <= 0) return false;
  return isLocalPart(address.slice(0, at)) && isDomain(address.slice(at + 1));
}

const ATOM = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+$/u;

function isLocalPart(text: string): boolean {
  if (/^"(?:[^"\\\r\n]|\\[^\r\n])*"$/.test(text)) return true;
  return text.split('.').every((part) => ATOM.test(part));
}

function isDomain(text: string): boolean {
  if (/^\[.*\]$/.test(text)) return parseAddress(text.slice(1, -1).replace(/^IPv6:/i, '')) !== undefined;
  return text.split('.').every((part) => ATOM.test(part));
}
