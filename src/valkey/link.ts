/** Where a Valkey (or Redis, from 6.2 on) is, and how to get in. */
export interface ValkeyOptions {
  /** `redis://host:port/database` or `rediss://…`, without a password. */
  readonly url: string;
  readonly username?: string | undefined;
  /** Read at each new connection, so that they can be changed. */
  readonly password?: (() => Promise<string>) | undefined;
  /** PEM of the authorities that vouch for the server; those of the system unless given. */
  readonly ca?: (() => Promise<string>) | undefined;
}

export type ValkeyClient = Awaited<ReturnType<typeof connect>>;

/** A large library, which a server without a store has no use for. */
const library = () => import('@redis/client');

/** One connection that is made when it is needed, and anew after it broke. */
export interface ValkeyLink {
  /**
   * @param patience milliseconds; a connection that has not answered by then is given up, whatever it may still say
   * @throws Error that says what went wrong, without anything that was sent
   */
  ask<T>(question: (client: ValkeyClient) => Promise<T>, patience?: number): Promise<T>;
  close(): void;
}

/** Milliseconds. */
const CONNECT_TIMEOUT = 2_000;
const PATIENCE = 2_000;
/** Milliseconds for which nobody tries again after a connection could not be made. */
const PAUSE = 100;

export function createValkeyLink(options: ValkeyOptions): ValkeyLink {
  let current: Promise<ValkeyClient> | undefined;
  let closed = false;
  let failedAt = Number.NEGATIVE_INFINITY;
  let failure = '';

  function client(): Promise<ValkeyClient> {
    if (closed) return Promise.reject(new Error('the connection was closed'));
    if (current === undefined && performance.now() - failedAt < PAUSE)
      return Promise.reject(new Error(failure));
    if (current !== undefined) return current;
    const made = connect(options, () => drop(made)).catch((error: Error) => {
      drop(made);
      failedAt = performance.now();
      failure = describe(error);
      throw new Error(failure, { cause: error });
    });
    return (current = made);
  }

  function drop(broken: Promise<ValkeyClient>): void {
    if (current === broken) current = undefined;
    void broken.then((one) => one.isOpen && one.destroy()).catch(() => {});
  }

  return {
    async ask(question, patience = PATIENCE) {
      const used = client();
      const connected = await used;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error('no answer in time')), patience);
      });
      try {
        return await Promise.race([question(connected), late]);
      } catch (error) {
        // What was not answered may come yet, and would be taken for the answer to what is asked next.
        const { ErrorReply } = await library();
        if (!(error instanceof ErrorReply)) drop(used);
        throw new Error(describe(error as Error), { cause: error });
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      closed = true;
      if (current) drop(current);
    },
  };
}

async function connect({ url, username, password, ca }: ValkeyOptions, onBroken: () => void) {
  const tls = url.startsWith('rediss:');
  const authorities = tls && ca ? await ca() : undefined;
  const secret = await password?.();
  const { createClient } = await library();
  const client = createClient({
    url,
    RESP: 2,
    ...(username !== undefined && { username }),
    ...(secret !== undefined && { password: secret }),
    socket: {
      connectTimeout: CONNECT_TIMEOUT,
      reconnectStrategy: false,
      ...(tls && { tls: true as const, ...(authorities !== undefined && { ca: authorities }) }),
    },
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  });
  // Told of by whoever asks next; without a listener it would end the process.
  client.on('error', onBroken);
  await client.connect();
  return client;
}

/** A server's answer begins with a word in capitals, and may go on with what it was asked. */
function describe(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined) return `it cannot be reached (${code})`;
  const word = /^([A-Z]{2,})\b/.exec(error.message)?.[1];
  return word === undefined ? `it cannot be reached (${error.message.slice(0, 80)})` : `it answered ${word}`;
}
