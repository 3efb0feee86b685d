import fc from 'fast-check';
import { readPath } from '../../src/envoy/path.js';
import { isRefusal } from '../../src/errors/refusal.js';

/** The canonical path, or the refusal's code. */
function canonical(target: string): string {
  const read = readPath(target);
  return isRefusal(read) ? read.code : read.path;
}

describe('the canonical path', () => {
  test.each([
    ['/', '/'],
    ['/orders/1', '/orders/1'],
    ['/orders/', '/orders/'],
    ['/a/./b', '/a/b'],
    ['/a/../admin', '/admin'],
    ['/a/b/..', '/a/'],
    ['/a/.', '/a/'],
    ['/a/..', '/'],
    ['/a//b///c', '/a/b/c'],
    ['/%61dmin', '/admin'],
    ['/a/%2e%2E/admin', '/admin'],
    ['/a%3ab', '/a%3Ab'],
    ['/a%252e', '/a%252e'],
    ['/a b', '/a%20b'],
    ['/zoë', '/zo%C3%AB'],
    ['/😀', '/%F0%9F%98%80'],
    ['/orders%3bv=1/x', '/orders%3Bv=1/x'],
    ['/...', '/...'],
  ])('trap 15: %s is %s to the policy', (target, expected) => {
    expect(canonical(target)).toBe(expected);
  });

  test.each([
    ['an encoded slash', '/a%2Fb'],
    ['an encoded slash in lower case', '/a%2fb'],
    ['a backslash', '/a\\b'],
    ['an encoded backslash', '/a%5cb'],
    ['NUL', '/a%00'],
    ['a raw control character', '/a\u0001'],
    ['an encoded line feed', '/a%0Ab'],
    ['DEL', '/a%7f'],
    ['a broken escape', '/a%zz'],
    ['an overlong slash', '/a%C0%AFb'],
    ['an escape that is not UTF-8', '/caf%E9'],
    ['an escape cut short', '/a%4'],
    ['two slashes at its beginning', '//public/admin'],
    ['path parameters', '/admin;x/users'],
    ['a dot segment with parameters', '/a/..;x/admin'],
    ['one whose semicolon is encoded', '/a/..%3Bx/admin'],
    ['one whose dots are encoded', '/a/%2e%2e;/admin'],
    ['a single dot with parameters', '/a/.;/admin'],
    ['an empty segment with parameters', '/;/admin'],
    ['the parent of the root', '/..'],
    ['a climb above the root', '/a/../../b'],
    ['.. behind repeated slashes', '/admin//../public'],
    ['.. further behind them', '/admin//x/../../public'],
    ['no slash at its beginning', 'admin'],
    ['a backslash behind the authority', 'http://shop\\admin'],
  ])('trap 15: a path with %s is refused, as servers read it in different ways', (_what, target) => {
    expect(canonical(target)).toBe('path_refused');
  });

  test('trap 15: the raw path stays visible beside it', () => {
    expect(readPath('/a/../admin')).toMatchObject({ path: '/admin', rawPath: '/a/../admin' });
  });

  test.each([
    ['/a?b=/../c', '/a', 'b=/../c'],
    ['/a?b?c', '/a', 'b?c'],
    ['/a?', '/a', ''],
    ['/a#x?b', '/a', ''],
    ['/a?b#x', '/a', 'b'],
    ['http://shop/a?b', '/a', 'b'],
    ['http://shop', '/', ''],
    ['*', '*', ''],
    ['', '', ''],
  ])('trap 16: %s is split before anything matches on the path', (target, path, query) => {
    expect(readPath(target)).toMatchObject({ path, query });
  });

  test('a refusal does not quote the path, which may hold a secret', () => {
    expect(readPath('/secret%00')).toMatchObject({ detail: expect.not.stringContaining('secret') });
  });
});

describe('for every target', () => {
  const piece = fc.constantFrom(
    ...['/', '//', '.', '..', ';', 'a', '%2e', '%41', '%2F', '%5c', '%', '\\', '?', '#', ' ', 'é', '%c3%a9'],
    ...['\ud800', '%00', '%3B', '%25', '"', '*', 'http://h', '\n'],
  );
  const target = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`),
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    fc.string({ unit: 'binary' }),
  );

  test('the canonical path is its own canonical path', () => {
    fc.assert(
      fc.property(target, (text) => {
        const read = readPath(text);
        if (isRefusal(read)) return;
        expect(readPath(read.path)).toMatchObject({ path: read.path, query: '' });
      }),
      { numRuns: 2000 },
    );
  });

  test('it holds no empty, . or .. segment and nothing outside visible ASCII', () => {
    fc.assert(
      fc.property(target, (text) => {
        const read = readPath(text);
        if (isRefusal(read)) return;
        expect(`${read.path}`).not.toMatch(/\/\/|\/\.{1,2}(?:\/|$)/);
        expect(read.path).toMatch(/^[\x21-\x7e]*$/);
      }),
      { numRuns: 2000 },
    );
  });
});

test('a target that is longer than any server takes is refused, however long, before it is looked into', () => {
  expect(readPath(`/${'a'.repeat(1000)}?${'b'.repeat(200_000)}`)).toMatchObject({
    path: `/${'a'.repeat(1000)}`,
  });
  expect(readPath(`/${'../a/'.repeat(100_000)}`)).toMatchObject({ code: 'path_refused' });
});
