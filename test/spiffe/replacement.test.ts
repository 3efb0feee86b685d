import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { mintTrustDomain } from '../../src/demo/trust-domain.js';
import { copyingHub } from '../support/copying-hub.js';
import { createBundleStore } from '../../src/identity/bundle-store.js';
import type { BundlesMessage, StreamListener, WorkloadApi } from '../../src/spiffe/workload-api.js';
import { createWorkloadBundles } from '../../src/spiffe/workload-bundles.js';

const NAMES = ['a.example', 'b.example', 'c.example', '__proto__', 'constructor'];
const authority = new X509Certificate((await mintTrustDomain('a.example')).bundlePem).raw;

/** Holds the stream's listener, so that messages come at once. */
function setUp() {
  const listeners: StreamListener<never>[] = [];
  const api: WorkloadApi = {
    stream: () => (listener) => {
      listeners.push(listener as StreamListener<never>);
      return () => {};
    },
    jwtSvids: () => Promise.reject(new Error('nobody asks')),
    close: () => {},
  };
  const bundles = createWorkloadBundles({ api: () => api, refresh: 1_000, now: () => 1, hub: copyingHub });
  void bundles.x509.start();
  const store = createBundleStore({
    sources: [],
    others: () => bundles.trustDomains().map((name) => bundles.source(name, 0)),
    now: () => 1,
  });
  return {
    store,
    bundles,
    send: (message: BundlesMessage) => listeners[0]!.message(message as never),
    deny() {
      for (const _ of ['at first', 'and asked anew']) listeners[0]!.end({ kind: 'denied', detail: 'no' });
    },
  };
}

const message = fc.dictionary(
  fc.constantFrom(...NAMES).map((name) => `spiffe://${name}`),
  fc.constantFrom(authority, Buffer.alloc(0)),
);

test('trap 41: after any messages the trusted domains are those of the newest one, to the last byte', () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1 }), fc.boolean(), (messages, denied) => {
      const { store, bundles, send, deny } = setUp();
      for (const each of messages) send({ bundles: each });
      if (denied) deny();
      bundles.x509.stop();
      store.update();
      const newest = new Map(denied ? [] : Object.entries(messages.at(-1)!));
      for (const name of NAMES) {
        const sent = newest.get(`spiffe://${name}`);
        const authorities = store.current().get(name)?.authorities;
        expect(authorities && Buffer.concat(authorities.map(({ der }) => der))).toEqual(
          sent && Buffer.from(sent),
        );
      }
    }),
  );
});

test('a name is looked for as it is, whatever JavaScript means by it', () => {
  const { store, bundles, send } = setUp();
  send({ bundles: Object.fromEntries([['spiffe://__proto__', authority]]) });
  bundles.x509.stop();
  store.update();
  expect(store.current().get('__proto__')?.authorities).toHaveLength(1);
  expect(store.current().get('constructor')).toBeUndefined();
});
