import { allowInsecureRequests, customFetch, type HttpRequestOptions } from 'oauth4webapi';

/** A form that is sent with POST, and what comes back. The body is bounded by whoever sends it. */
export type PostForm = (
  url: string,
  form: {
    readonly headers: { readonly [name: string]: string };
    readonly body: string;
    readonly signal: AbortSignal;
  },
) => Promise<{
  readonly status: number;
  /** Empty with statuses that nobody reads the body of. */
  readonly body: string;
  /** `content-type` */
  readonly type?: string | undefined;
}>;

/** Fetch's Response takes no body with these. */
const STATUS_WITHOUT_BODY = new Set([204, 205, 304]);

/** The options with which the library sends its forms this way. */
export function posting(
  post: PostForm,
  signal: AbortSignal,
): HttpRequestOptions<'POST', URLSearchParams> & { readonly signal: AbortSignal } {
  return {
    // Where keys and tokens may go in the clear was decided with the endpoint: nowhere but on loopback.
    [allowInsecureRequests]: true,
    [customFetch]: async (url, { headers, body, signal: ending }) => {
      const {
        status,
        body: text,
        type,
      } = await post(url, {
        headers,
        body: String(body),
        signal: ending ?? signal,
      });
      if (status < 200) throw new Error(`${url} answered ${status}`);
      return new Response(STATUS_WITHOUT_BODY.has(status) ? null : text, {
        status,
        headers: type === undefined ? {} : { 'content-type': type },
      });
    },
    signal,
  };
}
