import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';

/** How long to wait for the rest of a save, in milliseconds: editors write a file in several steps. */
const SETTLE = 50;
/** How often to look without being told: links may lead to where no watcher sits. */
const LOOK = 1000;

/**
 * Gives what `read` reads of a folder, at once and after every change of it. Content is compared, not
 * times: a mounted ConfigMap changes by swapping a link, and a save may change nothing.
 *
 * @param read its result is compared as JSON
 */
export async function* watchFolder<T>(folder: string, read: () => Promise<T>): AsyncGenerator<T, never> {
  let before = '';
  for (;;) {
    const change = nextChange(folder);
    const now = await read();
    const hash = createHash('sha256').update(JSON.stringify(now)).digest('base64');
    if (hash !== before) {
      before = hash;
      yield now;
    }
    await change;
  }
}

/** Resolves some time after something changed, or may have. */
function nextChange(folder: string): Promise<void> {
  return new Promise((resolve) => {
    let watcher: FSWatcher | undefined;
    const look = setTimeout(end, LOOK);
    function end(): void {
      clearTimeout(look);
      watcher?.close();
      resolve();
    }
    try {
      watcher = watch(folder, { recursive: true }, () => setTimeout(end, SETTLE));
      watcher.on('error', () => undefined);
    } catch {
      // No such folder yet, or no watcher to be had: looking has to do.
    }
  });
}
