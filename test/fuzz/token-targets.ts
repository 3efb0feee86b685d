import { isRefusal } from '../../src/errors/refusal.js';
import { readJws } from '../../src/jws/compact.js';
import { isSigned } from '../../src/jws/signature.js';
import { readCredential } from '../../src/token/bearer.js';
import { readClaims } from '../../src/token/claims.js';
import { looksLikeJose } from '../../src/token/introspected.js';
import { readAnswer, readIntrospected } from '../../src/token/introspection-answer.js';
import { TestKey } from '../token/support.js';
import type { Random } from '../support/random.js';
import { mutateText } from './mutate-text.js';

const NOW = Date.UTC(2030, 0, 1);
const RULES = {
  issuer: 'https://idp.example.org',
  audiences: ['orders'],
  profile: 'jwt',
  maxLifetime: 3_600_000,
  clockSkew: 0,
} as const;

const key = await TestKey.create('k1');
const signed = await key.token({ scope: 'a b', roles: ['c'], act: { sub: 'd' }, cnf: { jkt: 'e' } });
const [header, payload, signature] = signed.split('.') as [string, string, string];
const encode = (text: string) => Buffer.from(text).toString('base64url');

/** JSON as tokens have it, before it is encoded, so that what is bent is what they say. */
const json = {
  samples: [
    '{"alg":"ES256","typ":"at+jwt","kid":"k1"}',
    '{"iss":"https://idp.example.org","aud":["orders"],"sub":"alice","iat":1893456000,"exp":1893456300,"nbf":1893456000}',
    '{"active":true,"client_id":"a","aud":"orders","exp":1893456300,"iat":1893456000,"token_type":"Bearer"}',
    '{"scope":"a b","scp":["c"],"roles":["d"],"groups":"e","act":{"sub":"f","act":{}},"cnf":{"x5t#S256":"g"}}',
  ],
  pieces: [
    ...[
      '"alg":"none"',
      '"alg":',
      '"crit":["exp"],',
      '"jwk":{},',
      '"exp":1e400',
      '"exp":"1893456300"',
      '"aud":[1]',
    ],
    ...[
      '"iss":"',
      '"__proto__":{}',
      '"constructor":',
      '\\u0000',
      '\\ud800',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '-0',
    ],
    ...['1893456300', 'true', 'null', '9007199254740993', ' ', '\t'],
  ],
};

const tokens = {
  samples: [
    signed,
    `${header}.${payload}.`,
    `${header}.${payload}`,
    `${header}.${payload}.${signature}.e.f`,
    '2YotnFZFEjr1zCsicMWpAA',
  ],
  pieces: [
    '.',
    '..',
    '=',
    'ey',
    'eyJ',
    header,
    payload,
    signature,
    '-',
    '_',
    '+',
    '/',
    ' ',
    '\n',
    'A',
    'é',
    '\u0000',
  ],
};

const lines = {
  samples: [`Bearer ${signed}`, `DPoP ${signed}`, 'Basic YTpi', 'bearer a', ''],
  pieces: ['Bearer', 'bearer ', 'DPoP', ' ', '  ', ',', ', Bearer ', '\t', '=', signed.slice(0, 20), 'é'],
};

/** A token whose text is bent, or whose parts are: it is refused, or it has the form that RFC 7515 gives it. */
function jws(random: Random): void {
  const token = random.once(3)
    ? mutateText(tokens, random)
    : [mutateText(json, random), mutateText(json, random)].map(encode).concat(signature).join('.');
  looksLikeJose(token);
  const read = readJws(token);
  if (isRefusal(read)) return;
  const parts = token.split('.');
  if (parts.length !== 3 || parts.some((part) => !/^[A-Za-z0-9_-]+$/.test(part)))
    throw new Error('no compact JWS');
  if (read.header.crit !== undefined) throw new Error('a critical extension');
  if (isSigned(token, key.publicKey, read.header.alg) && token !== signed)
    throw new Error('a bent token is signed');
  const claims = readClaims(read.payload, RULES, NOW);
  if (isRefusal(claims)) return;
  if (
    !(claims.expiresAt * 1000 > NOW) ||
    claims.issuer !== RULES.issuer ||
    !claims.audience.includes('orders')
  )
    throw new Error('claims that break a rule');
  if ([claims.scopes, claims.roles, claims.groups].flat().some((name) => typeof name !== 'string'))
    throw new Error('a grant that is no text');
}

/** A header line: what is taken of it is a token68 and nothing else. */
function credential(random: Random): void {
  const arrived = Array.from({ length: 1 + (random.once(20) ? 1 : 0) }, () => mutateText(lines, random));
  const read = readCredential(arrived, 8192);
  if (isRefusal(read)) return;
  if (arrived.length !== 1 || !arrived[0]!.endsWith(read.token))
    throw new Error('not the token that arrived');
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(read.token)) throw new Error('no token68');
}

/** An introspection response: only a boolean `true` makes a token active. */
function introspection(random: Random): void {
  const body = mutateText(json, random);
  const answer = readAnswer(body);
  if (answer && answer.active !== true) throw new Error('active without being so');
  const claims = readIntrospected(body, {}, RULES, NOW);
  if (!isRefusal(claims) && (!answer || !(claims.expiresAt * 1000 > NOW)))
    throw new Error('claims that break a rule');
}

export const TOKEN_TARGETS = { token: jws, authorization: credential, introspection };
