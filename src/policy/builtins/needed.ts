import type { Builtins } from './builtin.js';

const aws = async () => (await import('./aws.js')).AWS;
const crypto = async () => ({
  ...(await import('./crypto.js')).CRYPTO,
  ...(await import('./x509.js')).X509,
});
const encoding = async () => (await import('./encoding.js')).ENCODING;
const glob = async () => (await import('./glob.js')).GLOB;
const graphql = async () => (await import('./graphql.js')).GRAPHQL;
const json = async () => ({
  ...(await encoding()),
  ...(await import('./json-patch.js')).JSON_PATCH,
  ...(await import('./json-schema.js')).JSON_SCHEMA,
  ...(await import('./json-text.js')).JSON_TEXT,
});
const jwt = async () => (await import('./jwt.js')).JWT;
const net = async () => (await import('./net.js')).NET;
const numbers = async () => (await import('./numbers.js')).NUMBERS;
const objects = async () => (await import('./objects.js')).OBJECTS;
const print = async () => (await import('./print.js')).PRINT;
const regex = async () => ({ ...(await glob()), ...(await import('./regex.js')).REGEX });
const rego = async () => (await import('./rego.js')).REGO;
const semver = async () => (await import('./semver.js')).SEMVER;
const sprintf = async () => (await import('./sprintf.js')).SPRINTF;
const strings = async () => ({
  ...(await import('./strings.js')).STRINGS,
  ...(await import('./template.js')).TEMPLATE,
});
const time = async () => (await import('./time.js')).TIME;
const toNumber = async () => (await import('./number-text.js')).TO_NUMBER;
const types = async () => (await import('./types.js')).TYPES;
const units = async () => (await import('./units.js')).UNITS;
const uri = async () => (await import('./uri.js')).URI;
const uuid = async () => (await import('./uuid.js')).UUID;

/** Where each built-in is found: by its name, or by what comes before the first point of it. */
const FAMILIES: { readonly [family: string]: () => Promise<Builtins> } = {
  base64: encoding,
  base64url: encoding,
  cast_array: types,
  cast_boolean: types,
  cast_null: types,
  cast_object: types,
  cast_set: types,
  cast_string: types,
  crypto,
  format_int: numbers,
  glob,
  graph: objects,
  graphql,
  hex: encoding,
  indexof: strings,
  indexof_n: strings,
  internal: print,
  io: jwt,
  json,
  net,
  numbers,
  object: objects,
  providers: aws,
  rand: numbers,
  regex,
  replace: strings,
  semver,
  sprintf,
  strings,
  time,
  to_number: toNumber,
  trace: rego,
  units,
  uri,
  urlquery: encoding,
  uuid,
  yaml: encoding,
};

/**
 * The built-ins of these names, as far as this host has them. What a policy does not call is not loaded: all of them,
 * with the libraries behind them, take a fifth of a second and more memory than the rest of a small server.
 */
export async function neededBuiltins(names: Iterable<string>): Promise<Builtins> {
  const found: { [name: string]: Builtins[string] } = {};
  for (const name of names) {
    const [family = ''] = Object.hasOwn(FAMILIES, name) ? [name] : name.split('.', 1);
    if (!Object.hasOwn(FAMILIES, family)) continue;
    const builtins = await FAMILIES[family]!();
    if (Object.hasOwn(builtins, name)) found[name] = builtins[name]!;
  }
  return found;
}
