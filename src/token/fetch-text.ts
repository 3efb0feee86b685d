/** What fetching needs of the outside world. */
export interface FetchPort {
  readonly fetch: typeof fetch;
}

/** Bytes. A set of a hundred RSA keys takes 50 kB. */
const MOST_BYTES = 1024 * 1024;

/** Milliseconds for one answer, its body included. */
const TIMEOUT = 5_000;

/**
 * GETs a JSON text, bounded in size and time.
 *
 * @throws Error that says what went wrong, without anything of what was answered
 */
export async function fetchText(url: string, ports: FetchPort): Promise<string> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT);
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
    if ((error as Error).name === 'AbortError')
      throw new Error(`${url} gave no answer in time`, { cause: error });
    throw (error as Error).name === 'TypeError'
      ? new Error(`${url} cannot be reached${causeOf(error as Error)}`, { cause: error })
      : error;
  } finally {
    clearTimeout(timer);
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
  for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) {
      abort.abort();
      throw new Error(`${answer.url} answered more than ${MOST_BYTES} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
