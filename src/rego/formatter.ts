import { isRefusal } from '../errors/refusal.js';
import type { RegoSource } from './source.js';
import type { RegoErrors } from './errors.js';
import { ask, filesOf, invalid, type WireError } from './wire.js';

interface FmtAnswer {
  readonly files: readonly RegoSource[];
  readonly errors?: readonly WireError[];
}

/**
 * Lays out policies as `opa fmt` does.
 *
 * @param sources `.rego` files; their paths are only for messages
 * @returns the same files in the same order; or all that does not parse, and then nothing else
 */
export async function formatRego(
  sources: readonly RegoSource[],
): Promise<readonly RegoSource[] | RegoErrors> {
  const answer = await ask<FmtAnswer>('fmt', { files: filesOf(sources) });
  if (isRefusal(answer)) return answer;
  if (answer.errors !== undefined) return invalid(answer.errors);
  return answer.files;
}
