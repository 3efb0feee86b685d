import { createHash, createHmac } from 'node:crypto';
import { toInteger } from '../number.js';
import { formatValue } from '../text.js';
import { RegoObject, RegoSet, type RegoValue } from '../value.js';
import { BuiltinError, operand, type Builtins } from './builtin.js';
import { marshalJson } from './go-json.js';
import { escapedPath, parseUrl } from './go-url.js';

/** What http.send takes in a request: OPA holds this one to the same. */
const REQUEST_KEYS = new Set<RegoValue>([
  'method',
  'url',
  'body',
  'enable_redirect',
  'force_json_decode',
  'force_yaml_decode',
  'headers',
  'raw_body',
  'tls_use_system_certs',
  'tls_ca_cert',
  'tls_ca_cert_file',
  'tls_ca_cert_env_variable',
  'tls_client_cert',
  'tls_client_cert_file',
  'tls_client_cert_env_variable',
  'tls_client_key',
  'tls_client_key_file',
  'tls_client_key_env_variable',
  'tls_insecure_skip_verify',
  'tls_server_name',
  'timeout',
  'cache',
  'force_cache',
  'force_cache_duration_seconds',
  'raise_error',
  'caching_mode',
  'max_retry_attempts',
  'cache_ignored_headers',
]);

const CONFIG_KEYS = ['aws_access_key', 'aws_region', 'aws_secret_access_key', 'aws_service'];

const BILLION = 1_000_000_000n;

/** Proxies change these on the way, so they are not signed. */
const UNSIGNED = new Set(['authorization', 'user-agent', 'x-amzn-trace-id']);

/**
 * providers.aws.sign_req: the request with the headers of AWS Signature Version 4, which needs no network.
 *
 * @throws BuiltinError, which names what is missing or wrong and never quotes a credential
 */
function signRequest(_: unknown, request: RegoValue, config: RegoValue, time: RegoValue): RegoValue {
  const from = operand(request, 1, 'object');
  const settings = operand(config, 2, 'object');
  requireStrings(settings, CONFIG_KEYS, 2, 'AWS config');
  const nanoseconds = readTime(operand(time, 3, 'number'));
  const unknown = from.keys().filter((key) => !REQUEST_KEYS.has(key));
  if (unknown.length > 0) fail(1, `invalid request parameters(s): ${names(unknown)}`);
  requireStrings(from, ['method', 'url'], 1, 'request');
  const given = from.get('headers');
  const headers = stringHeaders(given === undefined ? new RegoObject([]) : given);
  const url = parseUrl(toBytes(from.get('url') as string));
  const unsigned = settings.get('disable_payload_signing') ?? false;
  if (typeof unsigned !== 'boolean') fail(2, "invalid value for 'disable_payload_signing' in AWS config");
  const text = (name: string) => {
    const value = settings.get(name);
    return typeof value === 'string' ? value : '';
  };
  const service = text('aws_service');
  const payload = unsigned ? 'UNSIGNED-PAYLOAD' : sha256(readBody(from));
  const stamp = isoSecond(nanoseconds);
  const added = new Map([
    ['host', fromBytes(url.host)],
    ['x-amz-date', stamp],
    ...(service === 's3' || service === 'glacier' ? [['x-amz-content-sha256', payload] as const] : []),
    ...(text('aws_session_token') === ''
      ? []
      : [['x-amz-security-token', text('aws_session_token')] as const]),
  ]);
  const own = [...headers].map(([name, value]) => [name.toLowerCase(), value] as const);
  const signed = [...new Map([...added, ...own.filter(([name]) => !UNSIGNED.has(name))])].sort(([a], [b]) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const list = signed.map(([name]) => name).join(';');
  const canonical = [
    from.get('method') as string,
    escapedPath(url),
    fromBytes(url.rawQuery),
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    list,
    payload,
  ].join('\n');
  const scope = [stamp.slice(0, 8), text('aws_region'), service, 'aws4_request'];
  const toSign = ['AWS4-HMAC-SHA256', stamp, scope.join('/'), sha256(canonical)].join('\n');
  const key = scope.reduce<Buffer | string>(mac, `AWS4${text('aws_secret_access_key')}`);
  const credential = [text('aws_access_key'), ...scope].join('/');
  const signature = mac(key, toSign).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${list},Signature=${signature}`;
  const all = new RegoObject([...headers, ['Authorization', authorization], ...added]);
  return new RegoObject([...from, ['headers', all]]);
}

function fail(position: number, what: string): never {
  throw new BuiltinError(`operand ${position} ${what}`);
}

function names(keys: Iterable<RegoValue>): string {
  return formatValue(new RegoSet(keys));
}

function requireStrings(object: RegoObject, keys: readonly string[], position: number, of: string): void {
  const missing = keys.filter((key) => !object.has(key));
  if (missing.length > 0) fail(position, `missing required ${of} parameters(s): ${names(missing)}`);
  const invalid = keys.filter((key) => typeof object.get(key) !== 'string');
  if (invalid.length > 0)
    fail(position, `invalid values for required ${of} parameters(s): ${names(invalid)}`);
}

/** Nanoseconds since the epoch, in 64 bits. */
function readTime(time: Parameters<typeof toInteger>[0]): bigint {
  const integer = toInteger(time);
  if (integer === undefined || BigInt.asIntN(64, integer) !== integer) {
    fail(3, 'could not convert time_ns value into a unix timestamp');
  }
  return integer;
}

/** In the basic form of ISO 8601; a part of a second before the epoch belongs to the second before. */
function isoSecond(nanoseconds: bigint): string {
  const seconds = Number((nanoseconds - (((nanoseconds % BILLION) + BILLION) % BILLION)) / BILLION);
  return new Date(seconds * 1000).toISOString().replace(/[-:]|\.\d+/g, '');
}

/** As OPA: what is no string counts as an empty one. */
function stringHeaders(headers: RegoValue): Map<string, string> {
  const text = (value: RegoValue) => (typeof value === 'string' ? value : '');
  return new Map(Array.from(operand(headers, 1, 'object'), ([name, value]) => [text(name), text(value)]));
}

function readBody(request: RegoObject): string {
  const raw = request.get('raw_body');
  if (raw !== undefined) return typeof raw === 'string' ? raw : '';
  const body = request.get('body');
  return body === undefined ? '' : marshalJson(body);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function mac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function toBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function fromBytes(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString();
}

/** providers.aws.sign_req */
export const AWS: Builtins = { 'providers.aws.sign_req': signRequest };
