import { fuzz } from './run.js';
import { TARGETS } from './targets.js';

/** As much as a run of all tests has time for; `npm run fuzz` goes on from there. */
const COUNT: { readonly [name: string]: number } = {
  'spiffe-id': 100_000,
  certificate: 10_000,
  'envoy-certificate': 50_000,
  xfcc: 100_000,
  'forwarded-certificate': 10_000,
  token: 50_000,
  authorization: 100_000,
  introspection: 50_000,
  'jwt-svid': 50_000,
};

test.each(Object.entries(TARGETS))(
  'no input makes the parser %s throw, or breaks a rule of its own',
  (name, target) => fuzz(name, target, { count: COUNT[name]!, seed: 1 }),
  120_000,
);
