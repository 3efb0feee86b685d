import fc from 'fast-check';
import { compilePathTemplate, DEFAULT_PATH_TEMPLATE } from '../../src/identity/path-template.js';
import { createDestinationReader } from '../../src/identity/workload.js';

const names = compilePathTemplate(DEFAULT_PATH_TEMPLATE);

describe('a template of paths', () => {
  test('gives namespace and service account', () => {
    expect(names('/ns/shop/sa/frontend')).toEqual({ namespace: 'shop', serviceAccount: 'frontend' });
  });

  test.each([
    '',
    '/',
    '/ns/shop',
    '/ns/shop/sa',
    '/ns/shop/sa/frontend/x',
    '/x/ns/shop/sa/frontend',
    '/NS/a/sa/b',
  ])('matches a path as a whole: %j has no such names', (path) => expect(names(path)).toBeUndefined());

  test('may have the two in any order, and segments of any kind', () => {
    const template = compilePathTemplate('/k8s/*/{service_account}/{namespace}');
    expect(template('/k8s/eu-1/frontend/shop')).toEqual({ namespace: 'shop', serviceAccount: 'frontend' });
    expect(template('/k8s/frontend/shop')).toBeUndefined();
  });

  test.each([
    '',
    '/ns/{namespace}',
    'ns/{namespace}/sa/{service_account}',
    '/ns-{namespace}/{service_account}',
  ])('is refused when it is %j', (template) =>
    expect(() => compilePathTemplate(template)).toThrow('not a path template'),
  );

  test('gives back the segments that a path was made of, whatever they are', () => {
    const segment = fc.stringMatching(/^[A-Za-z0-9._-]+$/);
    fc.assert(
      fc.property(segment, segment, (namespace, serviceAccount) => {
        expect(names(`/ns/${namespace}/sa/${serviceAccount}`)).toEqual({ namespace, serviceAccount });
      }),
    );
  });
});

describe('the destination', () => {
  const read = createDestinationReader(names);

  test('is what the principal says, when it is the SPIFFE ID of a workload', () => {
    expect(read('spiffe://example.org/ns/shop/sa/orders')).toEqual({
      spiffeId: 'spiffe://example.org/ns/shop/sa/orders',
      trustDomain: 'example.org',
      path: '/ns/shop/sa/orders',
      kubernetes: { namespace: 'shop', serviceAccount: 'orders' },
    });
    expect(read('spiffe://example.org/orders')).not.toHaveProperty('kubernetes');
  });

  test.each([
    '',
    'orders.shop',
    'CN=orders',
    'spiffe://example.org',
    'spiffe://Example.org/a',
    'spiffe://a/b,c',
  ])('is absent when the principal is %j', (principal) => expect(read(principal)).toBeUndefined());

  test('is the same object for the same principal', () => {
    const principal = 'spiffe://example.org/ns/shop/sa/orders';
    expect(read(principal)).toBe(read(principal));
  });
});
