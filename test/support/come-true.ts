import { setTimeout as sleep } from 'node:timers/promises';

/** Makes an assertion again and again until it holds; after `within` milliseconds it fails as it did last. */
export async function comeTrue(assertion: () => void | Promise<void>, within = 10_000): Promise<void> {
  for (const end = Date.now() + within; ; await sleep(25)) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}
