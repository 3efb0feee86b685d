import { jest } from '@jest/globals';
import { fetchKeys } from '../../src/token/fetch-keys.js';
import { ISSUER } from './support.js';

const KEYS = `${ISSUER}/keys`;
const SECRET = 's3cret';

type Answer = (init: RequestInit) => Response | Promise<Response>;

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

/** The world outside: what is not listed cannot be reached. */
function world(
  answers: { readonly [url: string]: Answer | string },
  files: { readonly [path: string]: string } = {},
) {
  const asked: string[] = [];
  return {
    asked,
    ports: {
      fetch: async (url: unknown, init?: RequestInit) => {
        asked.push(String(url));
        const answer = answers[String(url)];
        if (answer === undefined) throw new TypeError(`fetch failed: ${SECRET}`);
        return typeof answer === 'string' ? new Response(answer) : answer(init!);
      },
      readFile: async (path: string) => {
        if (files[path] === undefined) throw Object.assign(new Error(SECRET), { code: 'EACCES' });
        return files[path];
      },
    },
  };
}

/** What {@link fetchKeys} says went wrong. */
async function failure(
  location: string,
  { ports }: ReturnType<typeof world>,
  issuer = ISSUER,
): Promise<string> {
  const outcome = fetchKeys(issuer, location, ports).then(
    () => 'nothing went wrong',
    (error: Error) => error.message,
  );
  await jest.advanceTimersByTimeAsync(20_000);
  return outcome;
}

/** A body of so many bytes that then says no more until it is given up. */
function stalling(bytes: number, end: boolean): Answer {
  return ({ signal }) =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new Uint8Array(bytes).fill(0x20));
          if (end) controller.close();
          else signal!.addEventListener('abort', () => controller.error(signal!.reason));
        },
      }),
    );
}

describe('a location', () => {
  test('may be a file', async () => {
    const { ports, asked } = world({}, { '/etc/keys.json': 'text' });
    expect(await fetchKeys(ISSUER, '/etc/keys.json', ports)).toBe('text');
    expect(asked).toEqual([]);
  });

  test('may be a file that cannot be read, which is told by its code', async () => {
    expect(await failure('/etc/keys.json', world({}))).toBe('/etc/keys.json cannot be read (EACCES)');
  });

  test.each([KEYS, 'http://127.0.0.1:8080/keys'])('may be the URL %s', async (url) => {
    const { ports, asked } = world({ [url]: 'text' });
    expect(await fetchKeys(ISSUER, url, ports)).toBe('text');
    expect(asked).toEqual([url]);
  });
});

describe('an answer', () => {
  test('may take a mebibyte and not one byte more', async () => {
    const most = world({ [KEYS]: stalling(1024 * 1024, true) });
    expect(await fetchKeys(ISSUER, KEYS, most.ports)).toHaveLength(1024 * 1024);
    const more = world({ [KEYS]: stalling(1024 * 1024 + 1, true) });
    expect(await failure(KEYS, more)).toMatch(/answered more than 1048576 bytes$/);
  });

  test('that never ends is cut off', async () => {
    let cancelled = false;
    const endless: Answer = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
          cancel: () => void (cancelled = true),
        }),
      );
    expect(await failure(KEYS, world({ [KEYS]: endless }))).toMatch(/answered more than 1048576 bytes$/);
    expect(cancelled).toBe(true);
  });

  test('whose body stalls is given up', async () => {
    expect(await failure(KEYS, world({ [KEYS]: stalling(10, false) }))).toBe(
      `${KEYS} gave no answer in time`,
    );
  });

  test('whose head never comes is given up after five seconds', async () => {
    const never: Answer = ({ signal }) =>
      new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)));
    let message: string | undefined;
    const outcome = fetchKeys(ISSUER, KEYS, world({ [KEYS]: never }).ports).catch((error: Error) => {
      message = error.message;
    });
    await jest.advanceTimersByTimeAsync(4_999);
    expect(message).toBeUndefined();
    await jest.advanceTimersByTimeAsync(1);
    await outcome;
    expect(message).toBe(`${KEYS} gave no answer in time`);
  });

  test.each([301, 302, 307])('of status %d leads nowhere', async (status) => {
    const asked: unknown[] = [];
    const redirecting: Answer = ({ redirect }) => {
      asked.push(redirect);
      return new Response(SECRET, { status, headers: { location: 'https://attacker.example/keys' } });
    };
    const outside = world({ [KEYS]: redirecting });
    expect(await failure(KEYS, outside)).toBe(`${KEYS} answered ${status}`);
    expect(asked).toEqual(['error']);
    expect(outside.asked).toEqual([KEYS]);
  });

  test.each([400, 401, 403, 404, 429, 500, 503])(
    'of status %d is an error, whatever it says',
    async (status) => {
      const answer: Answer = () => new Response(`{"keys":[],"secret":"${SECRET}"}`, { status });
      expect(await failure(KEYS, world({ [KEYS]: answer }))).toBe(`${KEYS} answered ${status}`);
    },
  );

  test('that cannot be had is told without the cause', async () => {
    expect(await failure(KEYS, world({}))).toBe(`${KEYS} cannot be reached`);
  });

  test('that breaks off is an error', async () => {
    const broken: Answer = () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.error(new TypeError(`terminated ${SECRET}`)),
        }),
      );
    expect(await failure(KEYS, world({ [KEYS]: broken }))).toBe(`${KEYS} cannot be reached`);
  });

  test('is read as UTF-8 across the chunks that it comes in', async () => {
    const bytes = new TextEncoder().encode('{"é":"€"}');
    const split: Answer = () =>
      new Response(
        new ReadableStream({
          start(controller) {
            for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
            controller.close();
          },
        }),
      );
    expect(await fetchKeys(ISSUER, KEYS, world({ [KEYS]: split }).ports)).toBe('{"é":"€"}');
  });
});

describe('discovery', () => {
  const metadata = (issuer: unknown, jwks_uri: unknown = KEYS) => JSON.stringify({ issuer, jwks_uri });

  test.each([
    [
      ISSUER,
      `${ISSUER}/.well-known/oauth-authorization-server`,
      `${ISSUER}/.well-known/openid-configuration`,
    ],
    [
      `${ISSUER}/`,
      `${ISSUER}/.well-known/oauth-authorization-server`,
      `${ISSUER}/.well-known/openid-configuration`,
    ],
    [
      `${ISSUER}/realms/a`,
      `${ISSUER}/.well-known/oauth-authorization-server/realms/a`,
      `${ISSUER}/realms/a/.well-known/openid-configuration`,
    ],
    [
      `${ISSUER}/realms/a/`,
      `${ISSUER}/.well-known/oauth-authorization-server/realms/a`,
      `${ISSUER}/realms/a/.well-known/openid-configuration`,
    ],
  ])(
    'of %s looks where RFC 8414 and then where OpenID Connect puts the metadata',
    async (issuer, oauth, openid) => {
      const first = world({ [oauth]: metadata(issuer), [KEYS]: 'keys' });
      expect(await fetchKeys(issuer, 'discovery', first.ports)).toBe('keys');
      expect(first.asked).toEqual([oauth, KEYS]);
      const second = world({
        [oauth]: () => new Response('', { status: 404 }),
        [openid]: metadata(issuer),
        [KEYS]: 'keys',
      });
      expect(await fetchKeys(issuer, 'discovery', second.ports)).toBe('keys');
      expect(second.asked).toEqual([oauth, openid, KEYS]);
    },
  );

  const OAUTH = `${ISSUER}/.well-known/oauth-authorization-server`;
  const OPENID = `${ISSUER}/.well-known/openid-configuration`;

  test.each([
    `${ISSUER}/`,
    'https://IDP.example.org',
    'https://attacker.example',
    `${SECRET}`,
    null,
    undefined,
    [ISSUER],
  ])(
    'trap 81: metadata of the issuer %j are refused, and the keys they name are not fetched',
    async (issuer) => {
      for (const place of [OAUTH, OPENID]) {
        const outside = world({ [place]: metadata(issuer), [KEYS]: 'keys' });
        expect(await failure('discovery', outside)).toBe('the metadata is of another issuer');
        expect(outside.asked).not.toContain(KEYS);
      }
    },
  );

  test.each([
    'http://127.0.0.1:9/keys',
    'http://localhost:9/keys',
    'http://[::1]:9/keys',
    'https://cdn.example/keys',
  ])('follows the jwks_uri %s', async (uri) => {
    const { ports } = world({ [OAUTH]: metadata(ISSUER, uri), [uri]: 'keys' });
    expect(await fetchKeys(ISSUER, 'discovery', ports)).toBe('keys');
  });

  test.each([
    'http://idp.example.org/keys',
    'http://localhost.attacker.example/keys',
    'http://127.0.0.1.attacker.example/keys',
    'http://localhost@attacker.example/keys',
    'file:///etc/keys.json',
    '/etc/keys.json',
    'discovery',
    'data:application/json,{}',
    '',
    null,
    7,
    [KEYS],
  ])('refuses the jwks_uri %j', async (uri) => {
    const outside = world({ [OAUTH]: metadata(ISSUER, uri) }, { '/etc/keys.json': 'keys' });
    expect(await failure('discovery', outside)).toBe('the metadata has no https jwks_uri');
    expect(outside.asked).toEqual([OAUTH]);
  });

  test.each([
    [`<html>${SECRET}</html>`, 'the metadata is not JSON'],
    [`{"issuer":"${ISSUER}","issuer":"${SECRET}"}`, 'the metadata is not JSON'],
    ['', 'the metadata is not JSON'],
    ['null', 'the metadata is of another issuer'],
    ['[]', 'the metadata is of another issuer'],
    [`"${SECRET}"`, 'the metadata is of another issuer'],
    ['{}', 'the metadata is of another issuer'],
  ])('of the metadata %j is refused', async (text, message) => {
    expect(await failure('discovery', world({ [OAUTH]: text, [OPENID]: text }))).toBe(message);
  });

  test('goes on to the second place where the first one answers with a page for people', async () => {
    const outside = world({ [OAUTH]: '<!doctype html>', [OPENID]: metadata(ISSUER), [KEYS]: 'keys' });
    expect(await fetchKeys(ISSUER, 'discovery', outside.ports)).toBe('keys');
    // JSON that names another issuer is metadata: nobody is asked after that.
    const wrong = world({ [OAUTH]: metadata(SECRET), [OPENID]: metadata(ISSUER), [KEYS]: 'keys' });
    expect(await failure('discovery', wrong)).toBe('the metadata is of another issuer');
  });

  test('without metadata anywhere tells what the last place answered', async () => {
    const none = world({ [OPENID]: () => new Response(SECRET, { status: 404 }) });
    expect(await failure('discovery', none)).toBe(`${OPENID} answered 404`);
    expect(await failure('discovery', world({}))).toBe(`${OPENID} cannot be reached`);
  });
});
