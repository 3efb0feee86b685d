import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { cacheFolder } from '../support/cache.js';
import { goProgram, madeOnce, opaModule, run, type Missing } from './go.js';

/** One of OPA's own cases, compiled to Wasm: see opa/cases.go. */
export interface Case {
  readonly folder: string;
  /** Unique among all cases. */
  readonly note: string;
  readonly query: string;
  readonly modules: readonly string[] | null;
  readonly wasm?: string;
  readonly error?: string;
  /** Texts of values, exact. */
  readonly data?: string;
  readonly input?: string;
  readonly wantDefined?: boolean;
  readonly wantResult?: string;
  readonly wantErrorCode?: string;
  readonly wantError?: string;
  readonly sortBindings?: boolean;
  readonly strictError?: boolean;
}

export interface Cases {
  readonly cases: readonly Case[];
  module(of: Case): Promise<Buffer>;
}

/** All of them, out of the cache or compiled into it, which takes about a minute. */
export async function loadCases(): Promise<Cases | Missing> {
  const source = await opaModule();
  if (typeof source !== 'string') return source;
  const built = await goProgram();
  if ('missing' in built) return built;
  const folder = await madeOnce(join(cacheFolder('conformance'), built.hash, 'cases'), (empty) =>
    run(built.program, ['cases', join(source, 'v1/test/cases/testdata/v1'), empty]),
  );
  return {
    cases: JSON.parse(await readFile(join(folder, 'cases.json'), 'utf8')) as Case[],
    module: async ({ wasm }) => gunzipSync(await readFile(join(folder, wasm!))),
  };
}
