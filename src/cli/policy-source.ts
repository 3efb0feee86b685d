import type { Config } from '../config/schema.js';
import { isRefusal, type Refusal } from '../errors/refusal.js';
import { openBundle, type OpenBundleOptions } from '../policy/bundle.js';
import { loadLaidOut, loadPolicy, type LaidOutPolicy } from '../policy/evaluator.js';
import type { VerificationKey } from '../policy/signature.js';
import { createPolicySource, type PolicyEvent, type PolicySource } from '../policy/source.js';
import type { Policy } from '../policy/types.js';
import { readVerificationKeys, verificationOf } from './bundle-keys.js';
import { createBundleStore } from './bundle-store.js';
import { Failure } from './failure.js';
import { readBundleFile, readPolicyFolder } from './policy-files.js';
import { createPolicyCompiler, entrypointsOf, type PreparedPolicy } from './policy-loader.js';
import {
  localOrigin,
  readPolicyPath,
  serviceOrigin,
  type Origin,
  type OriginOptions,
} from './policy-origins.js';
import { createPolicyWorkshop, type PolicyWorkshop } from './policy-workshop.js';

type PolicyConfig = Config['policy'];

/** What a policy is called that has no name of its own: that of `policy.path`. */
export const UNNAMED = 'policy';

/** Bytes of a bundle file that a `path` names, packed or unpacked. */
const MOST_BYTES = 268_435_456;

/** A policy, kept up to date in the background. */
export interface Policies extends Pick<PolicySource, 'current' | 'loadedAt' | 'status'> {
  /**
   * Looks for every part once.
   *
   * @throws Failure where there is no policy, and an operator has to mend a file for there to be one. Where a
   * service has to answer first, it is waited for in the background.
   */
  start(): Promise<void>;
  /** Looks for every part now, changed or not. */
  reload(): Promise<void>;
  stop(): void;
}

export interface PoliciesOptions extends Omit<OriginOptions, 'source'> {
  readonly onEvent: (event: PolicyEvent) => void;
  /** Puts what was compiled in force elsewhere. Default: here, by {@link loadPrepared}. */
  readonly load?: (
    prepared: PreparedPolicy,
    entrypoints: readonly string[],
    laidOut: LaidOutPolicy | undefined,
  ) => Promise<Policy | Refusal>;
  /** Whether a large policy is laid out here, and comes without its data. Default: where `load` is left out. */
  readonly layOut?: boolean;
  /** The script of the thread for large policies. Default: the one beside this file. */
  readonly thread?: URL;
}

/** Which parts make a policy, and what it is asked. */
interface Selection {
  readonly path?: string | undefined;
  /** Of `policy.bundles`; for a `path`, its one name. */
  readonly names: readonly string[];
  readonly entrypoints: readonly string[];
}

/**
 * The policy that decides.
 *
 * @throws Failure for a key that cannot be used
 */
export function createPolicies(config: PolicyConfig, options: PoliciesOptions): Promise<Policies> {
  const bundles = Object.keys(config.bundles ?? {}).filter((name) => name !== config.shadow?.bundle);
  const names = config.path === undefined ? bundles : [UNNAMED];
  return policiesOf(config, { path: config.path, names, entrypoints: entrypointsOf(config) }, options);
}

/** The policy that is asked beside it; undefined where there is none. */
export function createShadowPolicies(
  config: PolicyConfig,
  options: PoliciesOptions,
): Promise<Policies> | undefined {
  const { shadow } = config;
  if (shadow === undefined) return undefined;
  const entrypoints = shadow.entrypoint === undefined ? entrypointsOf(config) : [shadow.entrypoint];
  return policiesOf(config, { path: shadow.path, names: [shadow.bundle ?? UNNAMED], entrypoints }, options);
}

async function policiesOf(
  config: PolicyConfig,
  selection: Selection,
  options: PoliciesOptions,
): Promise<Policies> {
  const { path, names, entrypoints } = selection;
  const keys = await readVerificationKeys(config.keys);
  const { load, layOut = load === undefined } = options;
  const workshop = createPolicyWorkshop({
    entrypoints,
    layOut,
    ...(options.thread && { script: options.thread }),
  });
  const source = createPolicySource({
    names,
    async load(contents) {
      const outcome = await workshop.prepare(contents);
      if (isRefusal(outcome)) return outcome;
      const { prepared, laidOut } = outcome;
      return load
        ? load(prepared, entrypoints, laidOut)
        : loadPrepared(prepared, entrypoints, config, laidOut);
    },
    now: options.now,
    onEvent: options.onEvent,
  });
  const context = { ...options, source, workshop };
  const origins =
    path === undefined
      ? names.map((name) => bundleOrigin(name, config, keys, context))
      : [localOrigin(UNNAMED, path, () => readPolicyPath(path, workshop, MOST_BYTES), context)];

  return {
    current: () => source.current(),
    loadedAt: () => source.loadedAt(),
    status: () => source.status(),
    async start() {
      await Promise.all(origins.map((origin) => origin.start()));
      if (source.current() === undefined) failLocally(origins, source, path);
    },
    async reload() {
      await Promise.all(origins.map((origin) => origin.reload()));
    },
    stop() {
      for (const origin of origins) origin.stop();
      workshop.stop();
    },
  };
}

function bundleOrigin(
  name: string,
  config: PolicyConfig,
  keys: ReadonlyMap<string, VerificationKey>,
  context: OriginOptions & { readonly workshop: PolicyWorkshop },
): Origin {
  const bundle = config.bundles![name]!;
  const { path, service, size_limit_bytes: maxBytes } = bundle;
  const verification = verificationOf(bundle, keys);
  if (path !== undefined)
    return localOrigin(
      name,
      path,
      () => context.workshop.file(path, { verification, maxBytes, now: context.now() }),
      context,
    );
  const kept = bundle.persist ? config.persistence_directory : undefined;
  return serviceOrigin(name, bundle, config.services![service!]!, verification, {
    ...context,
    ...(kept !== undefined && { store: createBundleStore(kept) }),
  });
}

/** What an operator can mend at once is told at once; a service may only be late. */
function failLocally(origins: readonly Origin[], source: PolicySource, path: string | undefined): void {
  const local = new Set(origins.filter(({ kind }) => kind === 'local').map(({ name }) => name));
  const broken = source.status().filter(({ name, error }) => error !== undefined && local.has(name));
  if (broken.length === 0) return;
  const told = broken.map(({ name, error }) =>
    failureText(error!, path === undefined ? `policy.bundles.${name}` : 'policy.path'),
  );
  throw new Failure(told.join('\n'), broken.some(({ error }) => isRegoError(error!)) ? 2 : 1);
}

/** Errors in Rego bring their own place, and stand at the beginning of a line so that editors find them. */
function failureText(refusal: Refusal, key: string): string {
  return isRegoError(refusal) ? refusal.detail : `${key}: ${refusal.detail}`;
}

function isRegoError({ code }: Refusal): boolean {
  return code.startsWith('rego_');
}

/**
 * Makes a policy of what was compiled; it is refused where it asks for what this host lacks.
 *
 * @param laidOut in place of the data
 */
export async function loadPrepared(
  prepared: PreparedPolicy,
  entrypoints: readonly string[],
  { allow_request_target_rewrite: rewrite }: Pick<PolicyConfig, 'allow_request_target_rewrite'>,
  laidOut?: LaidOutPolicy,
): Promise<Policy | Refusal> {
  const { bundles, builtinPlaces, ...bundle } = prepared;
  const options = { entrypoints, allowRequestTargetRewrite: rewrite, builtinPlaces };
  const policy = await (laidOut ? loadLaidOut(laidOut, bundle, options) : loadPolicy({ ...options, bundle }));
  return isRefusal(policy) ? policy : Object.assign(policy, { bundles });
}

/**
 * The policy of a folder or a bundle file, as it is now.
 *
 * @throws Failure that says what is wrong with it, by file and line where that can be told
 */
export async function loadConfiguredPolicy(
  config: Pick<PolicyConfig, 'entrypoint' | 'entrypoints' | 'allow_request_target_rewrite'> & {
    readonly path: string;
  },
): Promise<Policy> {
  const entrypoints = entrypointsOf(config);
  const readers = {
    folder: (path: string) => readPolicyFolder(path, entrypoints),
    file: (path: string, how: OpenBundleOptions & { readonly maxBytes: number }) =>
      readBundleFile(path, how, openBundle),
  };
  const content = await readPolicyPath(config.path, readers, MOST_BYTES);
  if (isRefusal(content))
    throw new Failure(failureText(content, 'policy.path'), isRegoError(content) ? 2 : 1);
  const prepared = await createPolicyCompiler(entrypoints)(new Map([[UNNAMED, content]]));
  const policy = isRefusal(prepared) ? prepared : await loadPrepared(prepared, entrypoints, config);
  if (!isRefusal(policy)) return policy;
  throw new Failure(failureText(policy, `policy.path: ${config.path}`), isRegoError(policy) ? 2 : 1);
}
