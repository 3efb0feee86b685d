/** What fetching needs of the outside world. */
export interface FetchPort {
  readonly fetch: typeof fetch;
}

/** Bytes. A set of a hundred RSA keys takes 50 kB. */
export const MOST_BYTES = 1024 * 1024;

/** Milliseconds for one answer, its body included. */
export const TIMEOUT = 5_000;

/**
 * GETs a JSON text, bounded in size and time.
 *
 * @throws Error that says what went wrong, without anything of what was answered
 */
export async function fetchText(url: string, ports: FetchPort): Promise<string> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  // The signal alone does not do: Node's fetch forgets it when garbage is collected while a body comes in.
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${url} gave no answer in time`));
      abort.abort();
    }, TIMEOUT);
  });
  try {
    return await Promise.race([get(url, ports, abort), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function get(url: string, ports: FetchPort, abort: AbortController): Promise<string> {
  try {
    // A redirect would let whoever answers choose another source of keys.
    const answer = await ports.fetch(url, {
      redirect: 'error',
      signal: abort.signal,
      headers: { accept: 'application/jwk-set+json, application/json' },
    });
    if (!answer.ok) {
      abort.abort(); // ends the connection: the body is not wanted
      throw new Error(`${url} answered ${answer.status}`);
    }
    return await read(answer, abort);
  } catch (error) {
    throw (error as Error).name === 'TypeError'
      ? new Error(`${url} cannot be reached${causeOf(error as Error)}`, { cause: error })
      : error;
  }
}

/** What Node's fetch keeps to itself: ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED, or that it was a redirect. */
function causeOf({ cause }: Error): string {
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return ` (${code})`;
  return message === 'unexpected redirect' ? ' (it redirects, which is not followed)' : '';
}

async function read(answer: Response, abort: AbortController): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  if (answer.body === null) return text;
  const reader = answer.body.getReader();
  abort.signal.addEventListener('abort', () => void reader.cancel().catch(() => {}));
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const chunk: Uint8Array = part.value;
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) {
      abort.abort();
      throw new Error(`${answer.url} answered more than ${MOST_BYTES} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
