import { refuse, type Refusal } from '../errors/refusal.js';
import type { BundleContent } from './bundle.js';
import { type Data, mergeObjects } from './bundle-data.js';
import { overlaps, within } from './bundle-manifest.js';
import type { BundleCode } from './bundle-refusal.js';
import type { PolicyReads } from './reads.js';
import type { BundleRevisions } from './types.js';

/** What several bundles come to: one body of data, and either Wasm or the Rego that it is to be made of. */
export interface Combined {
  readonly revision: string;
  readonly bundles: BundleRevisions;
  readonly data: Data;
  readonly wasm?: Uint8Array;
  /** What the Wasm reads, where that is known. */
  readonly reads?: PolicyReads;
  /** Empty where there is `wasm`. With the name of the bundle in front where there are several. */
  readonly rego: readonly { readonly path: string; readonly content: string }[];
}

type Refused = Refusal<BundleCode>;

/**
 * Puts bundles together. Their roots have to be disjoint, so that each part of `data` has one owner. The policy comes
 * whole from one side: either one bundle brings Wasm, whose roots then hold every entrypoint, and no other bundle
 * brings Rego, which would have no say; or none brings Wasm, and the Rego of all is compiled together.
 */
export function combine(
  contents: ReadonlyMap<string, BundleContent>,
  entrypoints: readonly string[],
): Combined | Refused {
  const problem = overlap(contents) ?? wasmProblem(contents, entrypoints);
  if (problem !== undefined) return problem;
  const data: Data = {};
  for (const [name, content] of contents) {
    const conflict = mergeObjects(data, content.data as Data);
    if (conflict !== undefined)
      return refuse('bundle_roots', `data.${conflict} of the bundle ${name} stands in another one as well`);
  }
  const compiled = [...contents.values()].find(({ wasm }) => wasm !== undefined);
  const revisions = [...contents].map(([name, { revision }]) => [name, revision] as const);
  return {
    revision: revisions.length === 1 ? revisions[0]![1] : revisions.map((pair) => pair.join('=')).join(','),
    bundles: Object.fromEntries(revisions.map(([name, revision]) => [name, { revision }])),
    data,
    rego: compiled === undefined ? allRego(contents) : [],
    ...(compiled?.wasm && { wasm: compiled.wasm }),
    ...(compiled?.reads && { reads: compiled.reads }),
  };
}

function overlap(contents: ReadonlyMap<string, BundleContent>): Refused | undefined {
  const owned = [...contents].flatMap(([name, { roots }]) => roots.map((root) => ({ name, root })));
  for (const [index, a] of owned.entries())
    for (const b of owned.slice(index + 1))
      if (a.name !== b.name && overlaps(a.root, b.root))
        return refuse(
          'bundle_roots',
          `the roots of the bundles ${a.name} ("${a.root}") and ${b.name} ("${b.root}") overlap`,
        );
  return undefined;
}

function wasmProblem(
  contents: ReadonlyMap<string, BundleContent>,
  entrypoints: readonly string[],
): Refused | undefined {
  const all = [...contents];
  const [first, second] = all.filter(([, { wasm }]) => wasm !== undefined);
  if (first === undefined) {
    if (all.some(([, { rego }]) => rego.length > 0)) return undefined;
    return refuse(
      'bundle_without_policy',
      'there is neither policy.wasm nor Rego; build the bundle with `countersign build`, or `opa build -t wasm`',
    );
  }
  if (second !== undefined)
    return refuse(
      'bundle_roots',
      `both ${first[0]} and ${second[0]} bring policy.wasm; one of them has to decide`,
    );
  const mute = all.find(([name, { rego }]) => name !== first[0] && rego.length > 0);
  if (mute !== undefined)
    return refuse(
      'bundle_roots',
      `${mute[0]} brings Rego that the policy.wasm of ${first[0]} does not know; leave the Wasm out of both, or the Rego out of ${mute[0]}`,
    );
  const foreign = entrypoints.find((entrypoint) => !within(first[1].roots, entrypoint));
  if (foreign === undefined) return undefined;
  return refuse(
    'bundle_roots',
    `the entrypoint ${foreign} is outside of the roots of ${first[0]}, which brings policy.wasm`,
  );
}

function allRego(contents: ReadonlyMap<string, BundleContent>): Combined['rego'] {
  return [...contents].flatMap(([name, { rego }]) =>
    contents.size === 1 ? rego : rego.map(({ path, content }) => ({ path: `${name}/${path}`, content })),
  );
}
