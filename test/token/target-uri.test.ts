import fc from 'fast-check';
import { isTarget, type RequestTarget } from '../../src/token/target-uri.js';

const TARGET: RequestTarget = {
  method: 'GET',
  scheme: 'https',
  host: 'orders.example.org',
  rawPath: '/orders/7',
};
const NONE = new Map<string, string>();
const fits = (htu: string, target: Partial<RequestTarget> = {}, origins = NONE) =>
  isTarget(htu, { ...TARGET, ...target }, origins);

describe('htu', () => {
  test.each([
    ['as it is', 'https://orders.example.org/orders/7'],
    ['with another case of scheme and host', 'HTTPS://Orders.Example.ORG/orders/7'],
    ['with the default port', 'https://orders.example.org:443/orders/7'],
    ['with an empty port', 'https://orders.example.org:/orders/7'],
    ['with dot segments', 'https://orders.example.org/a/../orders/./7'],
    ['with escapes of plain characters', 'https://orders.example.org/%6Frders/%37'],
  ])('%s names the target', (_, htu) => {
    expect(fits(htu)).toBe(true);
  });

  test.each([
    ['a query', 'https://orders.example.org/orders/7?next=1'],
    ['a fragment', 'https://orders.example.org/orders/7#top'],
    ['both', 'https://orders.example.org/orders/7?a#b?c'],
  ])('trap 73: %s of htu is not compared', (_, htu) => {
    expect(fits(htu)).toBe(true);
  });

  test.each([
    ['another scheme', 'http://orders.example.org/orders/7'],
    ['another host', 'https://billing.example.org/orders/7'],
    ['another port', 'https://orders.example.org:8443/orders/7'],
    ['the default port of another scheme', 'https://orders.example.org:80/orders/7'],
    ['another path', 'https://orders.example.org/orders/8'],
    ['another case of the path', 'https://orders.example.org/Orders/7'],
    ['a slash more', 'https://orders.example.org/orders/7/'],
    ['two slashes', 'https://orders.example.org//orders/7'],
    ['the path as an escape', 'https://orders.example.org/orders%2F7'],
    ['a user name', 'https://orders.example.org@orders.example.org/orders/7'],
    ['a backslash', 'https://orders.example.org\\orders/7'],
    ['a space in front', ' https://orders.example.org/orders/7'],
    ['a line feed at the end', 'https://orders.example.org/orders/7\n'],
    ['a path alone', '/orders/7'],
    ['nothing', ''],
  ])('with %s does not', (_, htu) => {
    expect(fits(htu)).toBe(false);
  });

  test.each([
    ['http', 'orders:80', '/', 'http://orders'],
    ['http', '[2001:db8::1]:8080', '/x', 'http://[2001:DB8::1]:8080/x'],
    ['https', 'orders', '', 'https://orders/'],
    ['https', 'orders', '/a%2fb', 'https://orders/a%2Fb'],
    ['https', 'orders', '/..', 'https://orders/'],
    ['https', 'orders', '/a/..', 'https://orders/'],
    ['https', 'orders', '/a/.', 'https://orders/a/'],
  ])('of %s, %s and %s may be %s', (scheme, host, rawPath, htu) => {
    expect(fits(htu, { scheme, host, rawPath })).toBe(true);
  });

  test('is compared with what clients call the host, where that is configured, and then no other host is ours', () => {
    const origins = new Map([['orders.shop:8443', 'https://api.example.org/shop']]);
    const inside = { host: 'Orders.shop:8443', scheme: 'http' };
    expect(fits('https://api.example.org/shop/orders/7', inside, origins)).toBe(true);
    expect(fits('http://orders.shop:8443/orders/7', inside, origins)).toBe(false);
    expect(fits('https://orders.example.org/orders/7', {}, origins)).toBe(false);
  });

  test('of any text is answered, in time that grows with its length alone', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof fits(text) === 'boolean'));
    const started = performance.now();
    for (const long of ['/..'.repeat(50_000), '%'.repeat(50_000), ':'.repeat(50_000)])
      fits(`https://a${long}`);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
