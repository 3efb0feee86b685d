import { randomInt } from 'node:crypto';
import { jest } from '@jest/globals';
import { LRUCache } from 'lru-cache';
import { authorizationService } from '../../src/server/proto.js';
import { Random } from './random.js';
import type * as Stacks from './stack.js';
import { mintWorld, START } from './world.js';

const REQUESTS = Number(process.env.EQUALITY_REQUESTS ?? 100_000);
const SEED = Number(process.env.EQUALITY_SEED ?? randomInt(2 ** 31));

let hits = 0;
let misses = 0;

/** What every cache of the product is, with its hits counted. */
class Counting extends LRUCache<object, object> {
  override get(key: object): object | undefined {
    const found = super.get(key);
    if (found !== undefined) hits++;
    return found;
  }
}

/** What every cache is where there is none: it takes everything and has nothing. */
class Forgetful extends LRUCache<object, object> {
  constructor(options: LRUCache.Options<object, object, unknown>) {
    super({ ...options, max: 1 });
  }

  override get(): undefined {
    misses++;
    return undefined;
  }

  override peek(): undefined {
    return undefined;
  }

  override has(): boolean {
    return false;
  }
}

/** The same of the certificates' texts, which are kept in another way. */
class UnsharedTexts {
  get(bytes: Buffer, start: number, end: number): string {
    misses++;
    return bytes.toString('utf8', start, end);
  }
}

/** All of the product's modules, once more, over this cache. */
async function stackOver(Cache: typeof Counting | typeof Forgetful): Promise<typeof Stacks> {
  jest.resetModules();
  jest.unstable_mockModule('lru-cache', () => ({ LRUCache: Cache }));
  if (Cache === Forgetful)
    jest.unstable_mockModule('../../src/envoy/shared-texts.js', () => ({ SharedTexts: UnsharedTexts }));
  return import('./stack.js');
}

test(`answers ${REQUESTS} requests alike with every cache and with none, whatever changes in between`, async () => {
  process.stderr.write(`EQUALITY_SEED=${SEED}\n`);
  const random = new Random(SEED);
  const world = await mintWorld(random);
  let clock = START;
  const options = { issuers: world.issuers, introspect: world.introspect, now: () => clock };
  const cached = (await stackOver(Counting)).createStack({ ...options, fresh: false });
  const uncached = (await stackOver(Forgetful)).createStack({ ...options, fresh: true });

  async function both(change: (stack: Stacks.Stack) => void | Promise<void>): Promise<void> {
    await change(cached);
    await change(uncached);
  }

  /** Anything that changes under a server; each of them several hundred times in a run. */
  async function happen(): Promise<void> {
    if (random.once(400)) {
      const texts = world.keys(random);
      await both((stack) => stack.setKeys(texts));
    }
    if (random.once(400)) {
      const bundles = world.trust(random);
      await both((stack) => stack.setTrust(bundles));
    }
    if (random.once(200)) {
      const bundle = random.once(50) ? undefined : random.pick(world.bundles);
      const anew = random.once(4);
      await both((stack) => stack.setPolicy(bundle, anew));
    }
    if (random.once(200)) {
      const [entries, unreachableSince] = world.revocations(random, clock);
      await both((stack) => stack.setRevocations(entries, unreachableSince));
    }
    // Most requests come in the same moment as others; a few at the very one in which something expires.
    if (random.once(200)) clock = Math.max(clock, world.nextExpiry(clock) - random.below(3) + 1);
    else if (random.once(4)) clock += random.below(150);
  }

  const texts = world.keys(new Random(1));
  await both(async (stack) => {
    await stack.setKeys(texts);
    stack.setTrust(world.trust(new Random(2)));
    await stack.setPolicy(world.bundles[0], false);
  });

  const serialize = authorizationService.Check!.requestSerialize;
  const reasons = new Map<string, number>();
  for (let n = 0; n < REQUESTS; n++) {
    await happen();
    const { edge, request } = world.request(random, clock);
    const message = serialize(request);
    const remembered = await cached.decide(message, edge);
    const afresh = await uncached.decide(message, edge);
    reasons.set(afresh.reason, (reasons.get(afresh.reason) ?? 0) + 1);
    if (
      remembered.answer === afresh.answer &&
      remembered.reason === afresh.reason &&
      remembered.detail === afresh.detail
    )
      continue;
    throw new Error(
      `EQUALITY_SEED=${SEED}: request ${n} at ${new Date(clock).toISOString()} was answered ` +
        `${remembered.reason} (${remembered.detail}) with caches and ${afresh.reason} (${afresh.detail}) without\n` +
        `${JSON.stringify(remembered.answer)}\n${JSON.stringify(afresh.answer)}`,
    );
  }

  const told = [...reasons].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${reason} ${count}`);
  process.stderr.write(
    `${told.join(', ')}; ${((clock - START) / 60_000).toFixed()} minutes, ${hits} hits, ${misses} misses\n`,
  );
  // Caches took part, and only where they should; and a good part of the requests came as far as the policy.
  expect(hits).toBeGreaterThan(REQUESTS);
  expect(misses).toBeGreaterThan(REQUESTS);
  expect(reasons.get('allowed')).toBeGreaterThan(REQUESTS / 50);
  if (REQUESTS < 100_000) return; // a shorter run does not come by everything
  const expected = ['token_expired', 'token_key_unknown', 'token_keys_unavailable', 'token_binding_mismatch', 'certificate_expired', 'xfcc_hop_untrusted', 'dpop_proof_replayed', 'dpop_proof_mismatch', 'token_inactive', 'token_revoked', 'identity_revoked', 'revocation_unavailable', 'policy_denied', 'policy_error', 'policy_undefined', 'policy_unavailable']; // prettier-ignore
  expect([...reasons.keys()]).toEqual(expect.arrayContaining(expected));
}, 900_000);
