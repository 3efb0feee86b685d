import { isRefusal, type Refusal } from '../errors/refusal.js';
import { KeySet } from '../jws/key-set.js';
import {
  parseDerBundle,
  parseJwtAuthorities,
  parseTrustBundle,
  TrustBundles,
  type TrustBundle,
  type TrustBundleSource,
} from './trust-bundle.js';

/** What a source last said of one trust domain, as plain data. Times are milliseconds since the epoch. */
export interface BundleReading {
  /** PEM or a SPIFFE bundle; absent when there never was any, or when it was withdrawn. */
  readonly text?: string;
  /** In place of the text: certificates in DER, one after the other, in base64. None: all are withdrawn. */
  readonly der?: string;
  /** When the source last vouched for it. */
  readonly lastSuccess?: number;
  /** Why the newest attempt failed; absent when it did not. */
  readonly lastError?: string;
}

/** The one source of one trust domain's bundle. */
export interface BundleSource {
  readonly trustDomain: string;
  /** What is newest, at once; undefined before the source has answered in any way. */
  read(): BundleReading | undefined;
  /** Where the keys of JWT-SVIDs come apart from the certificates: a JWK Set in `text`. */
  readJwtAuthorities?(): BundleReading | undefined;
  /** Milliseconds within which a source that is well vouches for its bundle again. */
  refresh(bundle: TrustBundle | undefined): number;
  /** Milliseconds for which the last good bundle serves beyond that. */
  readonly maxStale: number;
}

export interface BundleStoreOptions {
  /** Of the domains that the configuration names. */
  readonly sources: readonly BundleSource[];
  /** Of further ones, which come and go. A domain that is among `sources` is never looked for here. */
  readonly others?: () => readonly BundleSource[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** How one trust domain's bundle stands. */
export interface BundleStatus {
  readonly trustDomain: string;
  /** Why nothing of the domain is trusted now; absent while something may be. */
  readonly unavailable?: string;
  /** When its source last vouched for it; milliseconds since the epoch. */
  readonly lastSuccess?: number;
  /** Why the newest attempt failed; the last good bundle stays in force as long as it may. */
  readonly error?: string;
}

/** The trust bundles in force, made of what the sources last said. */
export interface BundleStore extends TrustBundleSource {
  /**
   * Takes what the sources say now. What changed is parsed, and comes into force at once and together; what is new
   * but is no bundle leaves the one before it in force.
   *
   * @returns whether anything changed
   */
  update(): boolean;
  /** Of the domains that the configuration names. */
  status(): readonly BundleStatus[];
}

/** Nothing is in force before the first {@link BundleStore.update}. */
export function createBundleStore({ sources, others = () => [], now }: BundleStoreOptions): BundleStore {
  const configured = new Map(sources.map((source) => [source.trustDomain, new Domain(source)]));
  let further = new Map<string, Domain>();
  let bundles = new TrustBundles([], 0);
  let signature: readonly unknown[] = [];
  let nextToAge = Number.POSITIVE_INFINITY;

  function update(): boolean {
    further = new Map(
      others()
        .filter(({ trustDomain }) => !configured.has(trustDomain))
        .map((source) => [
          source.trustDomain,
          further.get(source.trustDomain)?.of(source) ?? new Domain(source),
        ]),
    );
    const domains = [...configured.values(), ...further.values()];
    const at = now();
    for (const domain of domains) domain.update(at);
    nextToAge = Math.min(...domains.map((domain) => domain.agesAfter(at)));
    // The same objects in the same order mean the same: whoever verified against them may go on relying on it.
    const newest = domains.flatMap(({ trustDomain, bundle, unavailable }) => [
      trustDomain,
      bundle,
      unavailable,
    ]);
    if (newest.length === signature.length && newest.every((part, i) => part === signature[i])) return false;
    signature = newest;
    bundles = new TrustBundles(
      domains.flatMap(({ bundle }) => bundle ?? []),
      bundles.revision + 1,
      new Map(
        domains.flatMap(({ trustDomain, unavailable }) => (unavailable ? [[trustDomain, unavailable]] : [])),
      ),
    );
    return true;
  }

  /** Nobody has to say that something has grown too old: whoever asks finds it so. */
  function age(): void {
    if (now() > nextToAge) update();
  }

  return {
    current() {
      age();
      return bundles;
    },
    update,
    status() {
      age();
      return [...configured.values()].map((domain) => domain.status());
    },
  };
}

/** One trust domain: what was parsed of it, and whether that may still be used. */
class Domain {
  bundle: TrustBundle | undefined;
  unavailable: string | undefined = NOT_YET;
  private readonly certificates = new Parsed<TrustBundle>();
  private readonly jwtKeys = new Parsed<KeySet>();
  private whole: TrustBundle | undefined;

  constructor(private source: BundleSource) {}

  get trustDomain(): string {
    return this.source.trustDomain;
  }

  of(source: BundleSource): this {
    this.source = source;
    return this;
  }

  update(now: number): void {
    const { source, certificates, jwtKeys } = this;
    const { trustDomain } = source;
    certificates.take(source.read(), ({ text, der }) =>
      der === undefined
        ? parseTrustBundle(trustDomain, text!)
        : parseDerBundle(trustDomain, Buffer.from(der, 'base64')),
    );
    this.bundle = certificates.usable(now, this.bound());
    this.unavailable = this.bundle === undefined ? certificates.why() : undefined;
    if (source.readJwtAuthorities === undefined) return;
    jwtKeys.take(source.readJwtAuthorities(), ({ text }) => parseJwtAuthorities(text ?? ''));
    if (this.bundle !== undefined) this.bundle = this.with(jwtKeys.usable(now, this.bound()) ?? NO_KEYS);
  }

  /** The last moment at which nothing has grown too old that has not already: milliseconds since the epoch. */
  agesAfter(now: number): number {
    const ends = [this.certificates, this.jwtKeys].map((part) => part.end(this.bound()));
    return Math.min(...ends.filter((end) => end >= now));
  }

  status(): BundleStatus {
    const { trustDomain, unavailable, certificates } = this;
    const { lastSuccess } = certificates;
    const error = certificates.error();
    return {
      trustDomain,
      ...(unavailable !== undefined && { unavailable }),
      ...(lastSuccess !== undefined && { lastSuccess }),
      ...(error !== undefined && { error }),
    };
  }

  private bound(): number {
    return this.source.refresh(this.certificates.value) + this.source.maxStale;
  }

  /** The same object as long as both parts of it are. */
  private with(jwtAuthorities: KeySet): TrustBundle {
    const { value } = this.certificates;
    const { whole } = this;
    if (whole?.authorities === value!.authorities && whole.jwtAuthorities === jwtAuthorities) return whole;
    return (this.whole = { ...value!, jwtAuthorities });
  }
}

const NOT_YET = 'it has not been obtained yet';
const NO_KEYS = new KeySet([]);

/** The newest good value of one source, parsed when its text changes and not before. */
class Parsed<Value extends TrustBundle | KeySet> {
  value: Value | undefined;
  /** When the source last vouched for the value. */
  lastSuccess: number | undefined;
  private reading: BundleReading = {};
  private document: string | undefined;
  private fault: string | undefined;
  private tooOld = false;

  take(
    reading: BundleReading | undefined,
    parse: (reading: BundleReading) => Value | Refusal<'trust_bundle_malformed'>,
  ): void {
    if (reading === undefined || reading === this.reading) return;
    this.reading = reading;
    this.fault = undefined;
    const document = reading.der ?? reading.text;
    if (document === undefined) {
      // A source that has answered but gives nothing has none, or has none any more.
      this.document = this.value = this.lastSuccess = undefined;
      return;
    }
    if (document !== this.document) {
      const parsed = parse(reading);
      if (isRefusal(parsed)) return void (this.fault = parsed.detail);
      [this.document, this.value] = [document, parsed];
    }
    this.lastSuccess = reading.lastSuccess;
  }

  /** @param bound milliseconds after the last success */
  usable(now: number, bound: number): Value | undefined {
    this.tooOld = now > this.end(bound);
    return this.tooOld ? undefined : this.value;
  }

  /** The last moment at which the value may be used; Infinity while there is none. */
  end(bound: number): number {
    return this.lastSuccess === undefined ? Number.POSITIVE_INFINITY : this.lastSuccess + bound;
  }

  error(): string | undefined {
    return this.reading.lastError ?? this.fault;
  }

  /** Why there is nothing to use. It holds no time, so that it stays the same while nothing changes. */
  why(): string {
    const error = this.error();
    if (this.tooOld) return `it is too old${error === undefined ? '' : ` (${error})`}`;
    return error ?? NOT_YET;
  }
}
