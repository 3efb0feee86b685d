import { parseExact } from '../../src/json/exact.js';
import type { JsonObject } from '../../src/jws/compact.js';
import {
  COMMON_CLAIMS,
  parseClaimPath,
  readGrants,
  type ClaimMapping,
} from '../../src/token/claim-mapping.js';

function read(claims: object, mapping: Partial<ClaimMapping> = {}) {
  return readGrants(parseExact(JSON.stringify(claims)) as JsonObject, { ...COMMON_CLAIMS, ...mapping });
}

describe('scopes', () => {
  test.each([
    [{}, []],
    [{ scope: 'a b' }, ['a', 'b']],
    [{ scope: ' a  b ' }, ['a', 'b']],
    [{ scope: ['a', 'b c'] }, ['a', 'b c']],
    [{ scp: 'a b' }, ['a', 'b']],
    [{ scp: ['a', 'b'] }, ['a', 'b']],
    [{ scope: 'a b', scp: ['b', 'c'] }, ['a', 'b', 'c']],
  ])('%j: %j', (claims, scopes) => {
    expect(read(claims)).toEqual({ scopes, roles: [], groups: [] });
  });

  test('are those of the mapped claims alone', () => {
    const mapping = { scopes: [['permissions']] };
    expect(read({ scope: 'admin', permissions: ['orders:read'] }, mapping)).toMatchObject({
      scopes: ['orders:read'],
    });
    expect(read({ scope: 'admin' }, { scopes: [] })).toMatchObject({ scopes: [] });
  });
});

describe('roles and groups', () => {
  test('are taken as they are: a name with a space in it is one name', () => {
    expect(read({ roles: 'not admin', groups: ['Domain Users', 'ops'] })).toEqual({
      scopes: [],
      roles: ['not admin'],
      groups: ['Domain Users', 'ops'],
    });
    expect(read({ roles: '' })).toMatchObject({ roles: [] });
  });

  test('may lie within other claims', () => {
    const roles = ['/realm_access/roles', '/resource_access/my.client/roles', '/a~1b/c~0d'].map(
      parseClaimPath,
    );
    const claims = {
      roles: ['not mapped'],
      realm_access: { roles: ['user'] },
      resource_access: { 'my.client': { roles: ['buyer', 'user'] } },
      'a/b': { 'c~d': 'odd' },
    };
    expect(read(claims, { roles })).toMatchObject({ roles: ['user', 'buyer', 'odd'] });
  });

  test('may have names that look like a URL', () => {
    const roles = [parseClaimPath('https://shop.example.org/roles')];
    expect(read({ 'https://shop.example.org/roles': ['buyer'] }, { roles })).toMatchObject({
      roles: ['buyer'],
    });
  });

  test('are not found in what every object has, in arrays, or in texts', () => {
    for (const path of [
      '/constructor/name',
      '/__proto__/x',
      '/toString',
      '/list/0',
      '/list/length',
      '/text/0',
    ])
      expect(read({ list: ['a'], text: 'a' }, { roles: [parseClaimPath(path)] })).toMatchObject({
        roles: [],
      });
    // A number of this size is kept as an object of our own, which is none of the token's.
    const huge = readGrants(parseExact('{"n": 1e400}') as JsonObject, {
      ...COMMON_CLAIMS,
      roles: [['n', 'text']],
    });
    expect(huge).toMatchObject({ roles: [] });
  });
});

describe('a claim of another form', () => {
  test.each([1, true, null, {}, [1], ['a', null], [['a']], [{ value: 'a' }]])('%j is refused', (value) => {
    for (const name of ['scope', 'scp', 'roles', 'groups']) expect(read({ [name]: value })).toEqual([name]);
    expect(read({ a: { b: value } }, { groups: [['a', 'b']] })).toEqual(['a', 'b']);
  });
});
