import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { bundleGetter } from '../../src/cli/bundle-http.js';
import { createPostForm } from '../../src/cli/post-form.js';
import { fetchText } from '../../src/token/fetch-text.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A server that goes on answering for as long as somebody listens. */
async function trickling() {
  let open = 0;
  const server = createServer((_, response) => {
    open++;
    const timer = setInterval(() => response.write(' '), 10);
    response.on('close', () => {
      open--;
      clearInterval(timer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, open: () => open, close: () => server.close() };
}

const never = new AbortController().signal;
const material = () => Promise.resolve({});

// Node loses some of its timeouts when garbage is collected, and whoever waited for them would do so for good.
test.each([
  ['keys', (url: string) => fetchText(url, { fetch })],
  ['a bundle', (url: string) => bundleGetter({ url, timeout: 500 }, 'b', 1_000_000)({}, 500, never)],
  [
    'an answer to a form',
    (url: string) => {
      const post = createPostForm(material);
      const form = { headers: {}, body: 'a=b', signal: AbortSignal.timeout(500) };
      return post(url, form).finally(() => post.close());
    },
  ],
])(
  'nobody waits for good for %s without an end, whatever garbage is collected meanwhile, and the connection ends',
  async (_, ask) => {
    const server = await trickling();
    const collecting = setInterval(collectGarbage, 50);
    try {
      await expect(ask(server.url)).rejects.toThrow(/in time/);
      const patience = Date.now() + 5_000;
      while (server.open() > 0 && Date.now() < patience)
        await new Promise((resolve) => setTimeout(resolve, 20));
      expect(server.open()).toBe(0);
    } finally {
      clearInterval(collecting);
      server.close();
    }
  },
  30_000,
);
