/**
 * The value of `work`, or of `otherwise` once `milliseconds` have gone by. The work itself goes on: a key
 * that arrives late still serves the next request.
 */
export function within<T, U>(work: Promise<T>, milliseconds: number, otherwise: () => U): Promise<T | U> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<U>((resolve) => {
    timer = setTimeout(() => resolve(otherwise()), Math.max(0, milliseconds));
  });
  return Promise.race([work, timeout]).finally(() => clearTimeout(timer));
}
