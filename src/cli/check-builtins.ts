import { isRefusal } from '../errors/refusal.js';
import { readBundle } from '../policy/bundle.js';
import { HOST_BUILTINS, REFUSED_BUILTINS } from '../policy/builtins/index.js';
import { requiredBuiltins } from '../policy/required-builtins.js';
import type { RegoCheckReport } from '../rego/checker.js';
import type { RegoSource } from '../rego/source.js';
import type { RegoError } from '../rego/errors.js';

/**
 * An error at each place that calls a built-in which this host lacks. What the compiled module asks its host for
 * is the truth: OPA's Wasm has many built-ins itself, and a rule that no entrypoint reaches needs none.
 */
export async function builtinErrors(
  sources: readonly RegoSource[],
  { bundle: built, builtins }: RegoCheckReport,
): Promise<readonly RegoError[]> {
  if (built === undefined) return [];
  const bundle = await readBundle(built);
  if (isRefusal(bundle)) return [{ code: 'wasm_invalid', message: bundle.detail }];
  const required = await requiredBuiltins(bundle.wasm);
  const errors = required
    .filter((name) => !Object.hasOwn(HOST_BUILTINS, name))
    .flatMap((name): RegoError[] => {
      const why = Object.hasOwn(REFUSED_BUILTINS, name) ? REFUSED_BUILTINS[name]! : 'Countersign has none';
      const error = { code: 'builtin_missing', message: `${name} is not here: ${why}` };
      const places = builtins.find((use) => use.name === name)?.locations ?? [];
      if (places.length === 0) return [error];
      return places.map((location): RegoError => {
        const lineText = sources.find(({ path }) => path === location.file)?.content.split('\n')[
          location.row - 1
        ];
        return { ...error, location, ...(lineText !== undefined && { lineText }) };
      });
    });
  return errors.sort(byPlace);
}

function byPlace({ location: a }: RegoError, { location: b }: RegoError): number {
  if (a === undefined || b === undefined) return Number(b === undefined) - Number(a === undefined);
  return a.file === b.file ? a.row - b.row || a.col - b.col : a.file < b.file ? -1 : 1;
}
