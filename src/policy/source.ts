import { isRefusal, type Refusal } from '../errors/refusal.js';
import type { BundleContent, BundleParcel } from './bundle.js';
import type { Policy } from './types.js';

/** What a bundle brought; where that is much, its data as text. */
export type PartContent = BundleContent | BundleParcel;

/** The parts that a policy is made of, by name. */
export type Contents = ReadonlyMap<string, PartContent>;

export interface PolicySourceOptions {
  /** Each of these has to be there before there is a policy. */
  readonly names: readonly string[];
  /** Makes a policy of all parts, or says why there is none. */
  readonly load: (contents: Contents) => Promise<Policy | Refusal>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly onEvent: (event: PolicyEvent) => void;
}

/** What becomes of a change. */
export type PolicyEvent =
  /** It is in force. `milliseconds` is how long it took to load. */
  | {
      readonly kind: 'loaded';
      readonly name: string;
      readonly policy: Policy;
      readonly milliseconds: number;
      readonly contents: Contents;
    }
  /** It is not, and what was in force still is. */
  | { readonly kind: 'refused'; readonly name: string; readonly refusal: Refusal };

/** How one part stands. Times are milliseconds since the epoch. */
export interface PartStatus {
  readonly name: string;
  readonly revision?: string;
  /** When it was last seen and good, changed or not. */
  readonly lastSuccess?: number;
  /** Why the newest attempt failed. */
  readonly error?: Refusal;
}

/** The policy in force, made of parts that change one by one. */
export interface PolicySource {
  /** The same object until a change is in force as a whole. */
  current(): Policy | undefined;
  /** When `current` came into force. */
  loadedAt(): number | undefined;
  /**
   * A part has changed. Changes are taken one after the other; one that is refused changes nothing.
   *
   * @returns why it is refused. Undefined when it is in force, or waits for parts that are not there yet.
   */
  offer(name: string, content: PartContent): Promise<Refusal | undefined>;
  /** A part could not even be read. */
  fail(name: string, refusal: Refusal): void;
  /** A part was looked at, and is what is in force. */
  confirm(name: string): void;
  status(): readonly PartStatus[];
}

interface Part {
  /** In force, or waiting for the others. */
  content?: PartContent;
  /** Refused, and perhaps good once another part has changed too. */
  refused?: PartContent;
  lastSuccess?: number;
  error?: Refusal;
}

export function createPolicySource(options: PolicySourceOptions): PolicySource {
  const { names, load, now, onEvent } = options;
  const parts = new Map<string, Part>(names.map((name) => [name, {}]));
  let current: Policy | undefined;
  let loadedAt: number | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  function partOf(name: string): Part {
    const part = parts.get(name);
    if (part === undefined) throw new Error(`no part ${name}`);
    return part;
  }

  /** With `changed` in the place of what is in force; undefined while a part is missing. */
  function together(changed: ReadonlyMap<string, PartContent>): Contents | undefined {
    const contents = new Map<string, PartContent>();
    for (const [name, { content }] of parts) {
      const part = changed.get(name) ?? content;
      if (part === undefined) return undefined;
      contents.set(name, part);
    }
    return contents;
  }

  function keep(changed: ReadonlyMap<string, PartContent>): void {
    for (const [name, content] of changed) parts.set(name, { content, lastSuccess: now() });
  }

  async function attempt(
    name: string,
    changed: ReadonlyMap<string, PartContent>,
  ): Promise<Refusal | undefined> {
    const contents = together(changed);
    if (contents === undefined) {
      keep(changed);
      return undefined;
    }
    const started = now();
    const policy = await load(contents);
    if (isRefusal(policy)) return policy;
    current = policy;
    loadedAt = now();
    keep(changed);
    onEvent({ kind: 'loaded', name, policy, milliseconds: loadedAt - started, contents });
    return undefined;
  }

  function fail(name: string, refusal: Refusal): void {
    const part = partOf(name);
    part.error = refusal;
    delete part.refused;
    onEvent({ kind: 'refused', name, refusal });
  }

  async function take(name: string, content: PartContent): Promise<Refusal | undefined> {
    const part = partOf(name);
    if (part.content?.digest === content.digest) {
      parts.set(name, { content: part.content, lastSuccess: now() });
      return undefined;
    }
    // Two parts that only fit each other's new form come one after the other: the first is refused, and
    // comes into force with the second.
    const waiting = new Map(
      [...parts].flatMap(([other, { refused }]) =>
        refused && other !== name ? [[other, refused] as const] : [],
      ),
    );
    if (waiting.size > 0 && (await attempt(name, new Map([...waiting, [name, content]]))) === undefined)
      return undefined;
    const refusal = await attempt(name, new Map([[name, content]]));
    if (refusal !== undefined) {
      fail(name, refusal);
      part.refused = content;
    }
    return refusal;
  }

  return {
    current: () => current,
    loadedAt: () => loadedAt,
    offer(name, content) {
      const taken = queue.then(() => take(name, content));
      queue = taken.catch(() => undefined);
      return taken;
    },
    fail,
    confirm(name) {
      const part = partOf(name);
      part.lastSuccess = now();
      delete part.error;
      delete part.refused;
    },
    status: () =>
      [...parts].map(([name, { content, lastSuccess, error }]) => ({
        name,
        ...(content && { revision: content.revision }),
        ...(lastSuccess !== undefined && { lastSuccess }),
        ...(error && { error }),
      })),
  };
}
