import { configText, parsed, problems, reported } from './support.js';

const issuer = (line: string) => configText({ issuer: line });

describe('what a token grants, and to whom', () => {
  test('is read from common claims unless others are named', () => {
    const claims = (text: string) => parsed(issuer(text)).token.issuers[0]!.claims;
    expect(claims('')).toEqual({ scopes: ['scope', 'scp'], roles: ['roles'], groups: ['groups'] });
    expect(
      claims('claims: { roles: [/realm_access/roles, "https://shop.example.org/roles"], groups: [] }'),
    ).toEqual({
      scopes: ['scope', 'scp'],
      roles: ['/realm_access/roles', 'https://shop.example.org/roles'],
      groups: [],
    });
  });

  test.each([
    ['""', '`""` is empty; write the name of a claim'],
    ['/a//b', '`/a//b` is not a JSON pointer; write it like /realm_access/roles (RFC 6901)'],
    ['/', '`/` is not a JSON pointer; write it like /realm_access/roles (RFC 6901)'],
    [
      'realm_access.roles',
      '`realm_access.roles` has dots, which can mean a nested claim or a name; write /realm_access/roles for the nested claim, or /realm_access.roles for a claim of this name',
    ],
  ])('the claim %s is refused', (path, problem) => {
    expect(reported(issuer(`claims: { roles: [${path}] }`))).toEqual([
      expect.stringContaining(`token.issuers[0].claims.roles[0]: ${problem}`),
    ]);
  });

  test.each([
    'spiffe://example.org/a',
    'spiffe://example.org/ns/*/sa/web',
    'spiffe://example.org/**',
    'spiffe://a/.x/*/**',
  ])('the presenter %s is taken', (pattern) => {
    expect(parsed(issuer(`presenters: ["${pattern}"]`)).token.issuers[0]!.presenters).toEqual([pattern]);
  });

  test.each([
    'example.org',
    'spiffe://example.org',
    'spiffe://example.org/',
    'spiffe://*/web',
    'spiffe://**',
    'spiffe://Example.org/**',
    'spiffe://example.org/a/',
    'spiffe://example.org//a',
    'spiffe://example.org/**/a',
    'spiffe://example.org/web-*',
    'spiffe://example.org/a/../b',
    'spiffe://example.org/..',
    'spiffe://example.org:8443/a',
  ])('the presenter %s is refused', (pattern) => {
    expect(reported(issuer(`presenters: ["${pattern}"]`))).toEqual([
      expect.stringContaining(
        `token.issuers[0].presenters[0]: \`"${pattern}"\` is no pattern for SPIFFE IDs`,
      ),
    ]);
  });

  test('a list of presenters that is empty would keep everybody out', () => {
    expect(problems(issuer('presenters: []')).map(({ key }) => key)).toEqual(['token.issuers[0].presenters']);
  });
});
