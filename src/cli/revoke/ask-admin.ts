import { Failure } from '../failure.js';

/** A running server's `listen.admin`. */
export interface AdminPlace {
  readonly url: string;
  readonly secret: string;
}

/** Milliseconds for an answer: a revocation that hangs is one that the operator has to know of. */
const PATIENCE = 10_000;

/**
 * Asks a running server.
 *
 * @throws Failure with what the server says is wrong, and how to mend it
 */
export async function askAdmin(
  { url, secret }: AdminPlace,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const target = targetOf(url, path);
  let answer: Response;
  try {
    answer = await fetch(target, {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(PATIENCE),
      headers: { authorization: `Bearer ${secret}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { code?: string };
    throw new Failure(
      `${target.origin} does not answer (${code ?? (error as Error).name}); is the server running?`,
    );
  }
  const text = await answer.text();
  const value = parse(text);
  if (answer.ok && value !== undefined) return value;
  const { error, detail, mend } = (value ?? {}) as { error?: string; detail?: string; mend?: string };
  throw new Failure(
    [`${target.origin} answered ${answer.status}`, error, detail, mend].filter(Boolean).join(': '),
  );
}

/** The secret goes to this very machine, or over TLS. */
function targetOf(url: string, path: string): URL {
  let target: URL;
  try {
    target = new URL(path, url);
  } catch {
    throw new Failure('--admin is not a URL; write http://127.0.0.1:8181', 2);
  }
  // What listens everywhere listens here.
  if (target.hostname === '0.0.0.0') target.hostname = '127.0.0.1';
  if (target.hostname === '[::]') target.hostname = '[::1]';
  const { protocol, hostname } = target;
  const here = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  if (protocol !== 'https:' && !(protocol === 'http:' && here))
    throw new Failure(
      '--admin is neither https nor on this machine: the secret would go over the network for all to read',
      2,
    );
  return target;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
