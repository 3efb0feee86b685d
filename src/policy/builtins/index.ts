import { AWS } from './aws.js';
import { CRYPTO } from './crypto.js';
import { ENCODING } from './encoding.js';
import { GLOB } from './glob.js';
import { GRAPHQL } from './graphql.js';
import { JSON_PATCH } from './json-patch.js';
import { JSON_SCHEMA } from './json-schema.js';
import { JSON_TEXT } from './json-text.js';
import { JWT } from './jwt.js';
import { NET } from './net.js';
import { TO_NUMBER } from './number-text.js';
import { NUMBERS } from './numbers.js';
import { OBJECTS } from './objects.js';
import { PRINT } from './print.js';
import { REGEX } from './regex.js';
import { REGO } from './rego.js';
import { SEMVER } from './semver.js';
import { SPRINTF } from './sprintf.js';
import { STRINGS } from './strings.js';
import { TEMPLATE } from './template.js';
import { TIME } from './time.js';
import { TYPES } from './types.js';
import { UNITS } from './units.js';
import { URI } from './uri.js';
import { UUID } from './uuid.js';
import { X509 } from './x509.js';
import type { Builtins } from './builtin.js';

/** Every built-in that this host supplies. A policy that needs any other does not load. */
export const HOST_BUILTINS: Builtins = {
  ...AWS,
  ...CRYPTO,
  ...ENCODING,
  ...GLOB,
  ...GRAPHQL,
  ...JSON_PATCH,
  ...JSON_SCHEMA,
  ...JSON_TEXT,
  ...JWT,
  ...NET,
  ...NUMBERS,
  ...OBJECTS,
  ...PRINT,
  ...REGEX,
  ...REGO,
  ...SEMVER,
  ...SPRINTF,
  ...STRINGS,
  ...TEMPLATE,
  ...TIME,
  ...TO_NUMBER,
  ...TYPES,
  ...UNITS,
  ...URI,
  ...UUID,
  ...X509,
};

/** Why a built-in is refused that one might expect. */
export const REFUSED_BUILTINS: { readonly [name: string]: string } = {
  'http.send': 'a decision never waits for the network; put what it fetches into data',
  'net.lookup_ip_addr': 'a decision never waits for the network',
  'opa.runtime': 'a decision must not depend on the environment of the server',
  'rego.parse_module':
    "OPA's parser is a program of its own, which takes half a second; parse where the policy is built, and put what it needs into data",
};
