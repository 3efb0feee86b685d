import { policyInput } from '../../src/decision/input.js';
import { facts, frontend, ordersToken } from './fakes.js';

const orders = {
  spiffeId: 'spiffe://example.org/ns/shop/sa/orders',
  trustDomain: 'example.org',
  path: '/ns/shop/sa/orders',
  kubernetes: { namespace: 'shop', serviceAccount: 'orders' },
};
const billing = { spiffeId: 'spiffe://example.org/billing', trustDomain: 'example.org', path: '/billing' };

describe('input.identity', () => {
  test('has the workload that is called, where it is known', () => {
    expect(policyInput(facts(), frontend, undefined, orders)).toMatchObject({
      identity: {
        spiffe_id: frontend.spiffeId,
        destination: {
          spiffe_id: orders.spiffeId,
          trust_domain: 'example.org',
          path: '/ns/shop/sa/orders',
          namespace: 'shop',
          service_account: 'orders',
        },
      },
    });
    expect(policyInput(facts(), frontend, ordersToken).identity).not.toHaveProperty('destination');
  });

  test('has namespace and service account of the caller, where its path tells them', () => {
    const { identity } = policyInput(facts(), { ...frontend, kubernetes: orders.kubernetes }, undefined);
    expect(identity).toMatchObject({ namespace: 'shop', service_account: 'orders' });
    expect(policyInput(facts(), frontend, undefined).identity).not.toHaveProperty('namespace');
  });

  test('is written once for each pair of workloads, and never mixes two destinations', () => {
    const identityOf = (destination?: typeof billing) =>
      policyInput(facts(), frontend, undefined, destination).identity;
    const first = identityOf(orders);
    expect(identityOf(billing)).toMatchObject({ destination: { path: '/billing' } });
    expect(identityOf()).not.toHaveProperty('destination');
    expect(identityOf(orders)).toBe(first);
  });
});
