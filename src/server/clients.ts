import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import {
  verifyCertificate,
  type ShownCertificate,
  type SvidRefusal,
  type VerifiedWorkload,
} from '../identity/certificate-verifier.js';
import { readShownChain } from '../identity/shown-chain.js';
import type { SpiffeIdMatcher } from '../identity/spiffe-id-pattern.js';
import type { TrustBundles, TrustBundleSource } from '../identity/trust-bundle.js';
import type { WorkloadIdentity } from '../identity/types.js';

/** Why a client of this server's own endpoint is not let in, or not any more. */
export type ClientCode =
  SvidRefusal | 'certificate_missing' | 'certificate_malformed' | 'client_not_accepted' | 'identity_revoked';

export interface ClientsOptions {
  /** The client's chain has to end in the bundle of its own trust domain. */
  readonly bundles: TrustBundleSource;
  /** Who is let in, by the SPIFFE ID. */
  readonly accepts: SpiffeIdMatcher;
  /** Why this one is let in no more, whatever it proves. */
  readonly revoked: (client: WorkloadIdentity, now: number) => Refusal<'identity_revoked'> | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A client that proved who it is, and is one of those that may ask. */
export interface Client {
  readonly spiffeId: string;
  /** Why it would not be let in now: asked as long as its connection lasts. Cheap while nothing has changed. */
  fault(): Refusal<ClientCode> | undefined;
}

/** Says who may connect. */
export interface Clients {
  /** @param chain what the client showed, in DER, the leaf first; it has proved to hold the leaf's key */
  admit(chain: readonly Buffer[]): Client | Refusal<ClientCode>;
}

/**
 * Lets in those who show an X.509-SVID (X509-SVID section 5) of a SPIFFE ID that is accepted. What TLS itself makes of
 * the chain is of no account: it would take any authority for any trust domain.
 */
export function createClients(options: ClientsOptions): Clients {
  return {
    admit(chain) {
      const shown = readShownChain(chain);
      if (isRefusal(shown)) return shown;
      const client = new ShownClient(shown, options);
      return client.fault() ?? client;
    },
  };
}

class ShownClient implements Client {
  private verified: VerifiedWorkload | undefined;
  private bundles: TrustBundles | undefined;

  constructor(
    private readonly shown: ShownCertificate,
    private readonly options: ClientsOptions,
  ) {}

  get spiffeId(): string {
    return this.verified?.identity.spiffeId ?? '';
  }

  fault(): Refusal<ClientCode> | undefined {
    const { accepts, revoked } = this.options;
    const now = this.options.now();
    const verified = this.verify(now);
    if (isRefusal(verified)) return verified;
    const { identity } = verified;
    if (!accepts(identity.spiffeId))
      return refuse('client_not_accepted', `${identity.spiffeId} is not among listen.tls.clients`);
    return revoked(identity, now);
  }

  private verify(now: number): VerifiedWorkload | Refusal<SvidRefusal> {
    const bundles = this.options.bundles.current();
    const { verified } = this;
    if (verified && bundles === this.bundles && verified.notBefore <= now && now <= verified.notAfter)
      return verified;
    const outcome = verifyCertificate(this.shown, {
      bundles,
      template: () => undefined,
      source: 'certificate',
      now,
    });
    if (!isRefusal(outcome)) [this.verified, this.bundles] = [outcome, bundles];
    return outcome;
  }
}
