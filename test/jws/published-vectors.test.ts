import { isRefusal } from '../../src/errors/refusal.js';
import { readJws } from '../../src/jws/compact.js';
import { parseKeySet } from '../../src/jws/key-set.js';
import { isSigned } from '../../src/jws/signature.js';
import { wycheproof } from '../support/wycheproof.js';

interface Group {
  readonly comment: string;
  readonly public?: object;
  readonly private?: object;
  readonly tests: readonly {
    readonly tcId: number;
    readonly comment: string;
    readonly jws: string;
    readonly result: string;
  }[];
}

/**
 * Whether the parts of a token's verification that are about JWS accept this one. Payloads of published vectors are
 * seldom claims, which is the one thing that is not held against them.
 */
async function accepts(jws: string, keys: readonly object[]): Promise<boolean> {
  const read = readJws(jws);
  if (isRefusal(read) && read.detail !== 'the claims are not a JSON object') return false;
  const header = JSON.parse(Buffer.from(jws.split('.')[0]!, 'base64url').toString()) as {
    alg: string;
    kid?: string;
  };
  const set = await parseKeySet(JSON.stringify({ keys }));
  return set.candidates(header.alg, header.kid).some(({ key }) => isSigned(jws, key, header.alg));
}

const CLAIMS =
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ';
const EC = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};
const RSA = {
  kty: 'RSA',
  e: 'AQAB',
  n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
};
const OKP = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };

const RS256 = `eyJhbGciOiJSUzI1NiJ9.${CLAIMS}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw`;
const ES256 = `eyJhbGciOiJFUzI1NiJ9.${CLAIMS}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`;
const EDDSA =
  'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg';

describe('the vectors of the RFCs', () => {
  test.each([
    ['RFC 7515 appendix A.2', RS256, RSA],
    ['RFC 7515 appendix A.3', ES256, EC],
    ['RFC 8037 appendix A.4', EDDSA, OKP],
  ])('%s verifies, and no longer once a character of it is another one', async (_, jws, key) => {
    expect(await accepts(jws, [key])).toBe(true);
    // Of the last character of a part only some bits count; the part is refused where the others are not zero.
    for (let at = 0; at < jws.length; at += 7) {
      const other = `${jws.slice(0, at)}${jws[at] === 'A' ? 'B' : 'A'}${jws.slice(at + 1)}`;
      expect([at, await accepts(other, [key]).catch(() => false)]).toEqual([at, false]);
    }
  });

  test('RFC 7515 appendix A.1 and A.5, HMAC and none, are never accepted', async () => {
    const hs256 = `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`;
    const secret = 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow';
    expect(await accepts(hs256, [{ kty: 'oct', k: secret }])).toBe(false);
    expect(await accepts(`eyJhbGciOiJub25lIn0.${CLAIMS}.`, [RSA, EC, OKP])).toBe(false);
  });
});

/** What Wycheproof calls valid and a token can never be, or is held to more strictly. */
const STRICTER: readonly [why: string, is: (group: Group, comment: string) => boolean][] = [
  ['HMAC is never accepted', ({ private: key }) => (key as { kty?: string } | undefined)?.kty === 'oct'],
  ['claims are never empty', (_, comment) => comment === 'emptyPayload'],
  // Their keys name an algorithm (PS256, ES521) that is not the one of the signature (PS384, ES512).
  [
    'an algorithm that is not that of the key',
    ({ comment }, figure) => /^rfc7520/.test(comment) && /^Figure2[07]$/.test(figure),
  ],
];

const groups = (await wycheproof<{ testGroups: Group[] }>('json_web_signature_test.json'))?.testGroups;
const keySets = (await wycheproof<{ testGroups: Group[] }>('json_web_key_test.json'))?.testGroups;

function keysOf({ public: published, private: secret }: Group): object[] {
  const key = published ?? secret ?? {};
  return 'keys' in key ? (key.keys as object[]) : [key];
}

describe("Project Wycheproof's vectors", () => {
  if (groups === undefined || keySets === undefined) {
    test.skip('of JWS and JWK (skipped: the Go module cannot be had here)', () => undefined);
    return;
  }

  test('of JWS are verified as they say', async () => {
    const wrong: string[] = [];
    let accepted = 0;
    for (const group of groups) {
      for (const { tcId, comment, jws, result } of group.tests) {
        const valid = result === 'valid' && !STRICTER.some(([, is]) => is(group, comment));
        const outcome = await accepts(jws, keysOf(group));
        if (outcome) accepted++;
        if (outcome !== valid) wrong.push(`${tcId} ${group.comment} ${comment}: ${result}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(accepted).toBeGreaterThan(20);
  });

  test('of keys are none that a token is verified with, unless they say so', async () => {
    const wrong: string[] = [];
    for (const group of keySets) {
      for (const { tcId, comment, jws, result } of group.tests) {
        const valid =
          result === 'valid' && comment !== 'long_key' && !/"alg":"HS/.test(JSON.stringify(keysOf(group)));
        if ((await accepts(jws, keysOf(group))) !== valid)
          wrong.push(`${tcId} ${group.comment} ${comment}: ${result}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});
