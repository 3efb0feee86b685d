import { CompactEncrypt } from 'jose';
import { CLAIMS, TestKey, encode, refused, setUpWith } from './support.js';

const key = await TestKey.create('k1');
const rsa = await TestKey.create('r1', 'RS256');

const setUp = (maxBytes?: number) => setUpWith([key, rsa], {}, maxBytes);

describe('the form', () => {
  test.each(['["exp"]', '[]', '["b64"]', '["https://example.org/unknown"]', 'null', '""', '{}'])(
    'trap 56: crit %s is refused',
    async (crit) => {
      const { verify } = await setUp();
      const header = `{"alg":"ES256","typ":"at+jwt","kid":"k1","b64":true,"crit":${crit}}`;
      expect(await verify(key.raw(header))).toEqual(refused('token_header_invalid'));
    },
  );

  test('trap 57: a member name that stands twice in the header is refused', async () => {
    const { verify } = await setUp();
    for (const twice of [
      '"alg":"ES256","alg":"ES256"',
      '"alg":"none","alg":"ES256"',
      '"alg":"ES256","a\\u006cg":"x"',
    ])
      expect(await verify(key.raw(`{${twice},"typ":"at+jwt","kid":"k1"}`))).toEqual(
        refused('token_header_invalid'),
      );
  });

  test('trap 57: a member name that stands twice in the claims is refused', async () => {
    const { verify } = await setUp();
    const claims = JSON.stringify(CLAIMS).slice(0, -1);
    for (const twice of ['"sub":"root"', '"s\\u0075b":"alice"', '"act":{"sub":"a","sub":"b"}'])
      expect(await verify(key.raw(key.header(), `${claims},${twice}}`))).toEqual(refused('token_malformed'));
  });

  test('trap 58: a JSON-serialised JWS is refused', async () => {
    const { verify } = await setUp();
    const [header, payload, signature] = (await key.token()).split('.');
    const flattened = JSON.stringify({ protected: header, payload, signature });
    // What holds a comma might be two headers, so that is what it is refused as.
    expect(await verify(flattened)).toEqual(refused('token_duplicate'));
    expect(await verify(JSON.stringify({ signatures: [{}] }))).toEqual(refused('token_malformed'));
    expect(await verify(encode(flattened))).toEqual(refused('token_malformed'));
  });

  test('trap 59: padding or white space in a segment is refused', async () => {
    const { verify } = await setUp();
    const token = await key.token();
    const parts = token.split('.');
    for (const stray of ['=', '==', ' ', '\t', '\n', '\r\n', '%', '\u2028'])
      for (const at of [0, 1, 2]) {
        const stuffed = parts.map((part, index) => (index === at ? part + stray : part)).join('.');
        expect(await verify(stuffed)).toEqual(refused('token_malformed'));
      }
    expect(await verify(token)).toMatchObject({ subject: 'alice' });
  });

  test('trap 59: a second spelling of the same signature is refused', async () => {
    const { verify } = await setUp();
    const token = await key.token();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    // 64 bytes leave the last four bits of the last letter unused.
    const respelt = token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)!) + 1];
    const bytes = (text: string) => Buffer.from(text.split('.')[2]!, 'base64url');
    expect(bytes(respelt)).toEqual(bytes(token));
    expect(await verify(respelt)).toEqual(refused('token_malformed'));
  });

  test('trap 60: a five-part JWE is refused', async () => {
    const { verify } = await setUp();
    const jwe = await new CompactEncrypt(Buffer.from(await key.token()))
      .setProtectedHeader({ alg: 'RSA-OAEP', enc: 'A128GCM', cty: 'JWT', typ: 'at+jwt', kid: 'r1' })
      .encrypt(rsa.publicKey);
    expect(jwe.split('.')).toHaveLength(5);
    expect(await verify(jwe)).toEqual(refused('token_malformed'));
  });

  test('trap 61: an oversized token is refused before it is decoded', async () => {
    const token = await key.token();
    const { verify } = await setUp(token.length);
    expect(await verify(token)).toMatchObject({ subject: 'alice' });
    expect(await verify(await key.token({ jti: 'token-10' }))).toEqual(refused('token_too_large'));
    expect(await verify('.'.repeat(token.length + 1))).toEqual(refused('token_too_large'));
    expect(await verify('.'.repeat(token.length))).toEqual(refused('token_malformed'));
  });
});
