import { isLoopback } from '../../config/location.js';
import { isFault, parseListenAddress } from '../../config/listen-address.js';
import type { Examination } from './examine.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Settings that are allowed, and seldom meant. */
export function checkSettings(examination: Examination): void {
  listening(examination);
  identity(examination);
  tokens(examination);
  logging(examination);
  bundles(examination);
}

function listening({ config: { listen }, locate, notebook }: Examination): void {
  const address = parseListenAddress(listen.grpc);
  if (isFault(address)) return;
  if ('socketPath' in address) {
    if ((Number.parseInt(listen.socket_mode, 8) & 0o002) === 0) return;
    notebook.add(
      'socket_exposed',
      locate('listen', 'socket_mode'),
      'everybody may connect to the socket',
      "write '0660', and a group that Envoy is in (listen.socket_group)",
    );
    return;
  }
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  if (isLoopback(host) || listen.tls !== undefined) return;
  notebook.add(
    'config_listen_open',
    locate('listen', 'grpc'),
    `decisions are answered in clear text on ${listen.grpc}, to whoever asks`,
    'add listen.tls with the Envoys that may ask, or listen on a Unix socket or on loopback beside Envoy',
  );
}

function identity({ config: { identity }, locate, notebook }: Examination): void {
  if (identity.workload_api.federated === 'all') {
    notebook.add(
      'config_federated_all',
      locate('identity', 'workload_api', 'federated'),
      'every trust domain that the agent sends is known',
      'write listed, and name the trust domains in identity.trust_domains',
    );
  }
  if (identity.xfcc?.from.includes('unauthenticated')) {
    notebook.add(
      'config_xfcc_unauthenticated',
      locate('identity', 'xfcc', 'from'),
      'x-forwarded-client-cert is believed of peers that show no certificate',
      'let the proxies ahead speak mTLS to Envoy, and name their SPIFFE IDs here',
    );
  }
  const stale = (milliseconds: number, ...path: PropertyKey[]) => {
    if (milliseconds <= 7 * DAY) return;
    notebook.add(
      'config_stale_long',
      locate(...path),
      `a bundle serves for ${days(milliseconds)} after its source was last heard`,
      'write a day, or what it takes to mend a source',
    );
  };
  stale(identity.max_stale, 'identity', 'max_stale');
  for (const [name, { max_stale: own }] of Object.entries(identity.trust_domains)) {
    if (own !== undefined) stale(own, 'identity', 'trust_domains', name, 'max_stale');
  }
}

function tokens({ config: { token }, locate, notebook }: Examination): void {
  if (token.mode === 'off') {
    notebook.add(
      'config_token_off',
      locate('token', 'mode'),
      'access tokens are not looked at',
      'nothing, if that is meant; otherwise set token.mode to required and name the issuers',
    );
  }
  for (const [i, issuer] of token.issuers.entries()) {
    const at = (key: string) => locate('token', 'issuers', i, key);
    if (issuer.clock_skew > MINUTE) {
      notebook.add(
        'config_clock_skew_wide',
        at('clock_skew'),
        `tokens of ${issuer.issuer} may be ${issuer.clock_skew / 1000} s past their times`,
        'keep clocks with NTP, and write some seconds',
      );
    }
    if (issuer.max_lifetime > DAY) {
      notebook.add(
        'config_lifetime_long',
        at('max_lifetime'),
        `tokens of ${issuer.issuer} may be good for ${days(issuer.max_lifetime)}`,
        'let the issuer make tokens of an hour or less, or bind them to who presents them (token.binding)',
      );
    }
    if (issuer.jwks_max_stale > DAY) {
      notebook.add(
        'config_stale_long',
        at('jwks_max_stale'),
        `keys of ${issuer.issuer} serve for ${days(issuer.jwks_max_stale)} after they were last fetched`,
        'write an hour, or what it takes to mend an issuer',
      );
    }
  }
}

function logging({ config: { decision_log: log }, locate, notebook }: Examination): void {
  if (!log.enabled) {
    notebook.add(
      'config_log_off',
      locate('decision_log', 'enabled'),
      'decisions are not logged',
      'set decision_log.enabled to true',
    );
  } else if (log.include_body) {
    notebook.add(
      'config_log_bodies',
      locate('decision_log', 'include_body'),
      'bodies of requests are part of the decision log',
      'set it to false, or mask what must not be there (decision_log.mask)',
    );
  }
}

function bundles({ config: { policy }, locate, notebook }: Examination): void {
  for (const [name, { service, signing }] of Object.entries(policy.bundles ?? {})) {
    if (service === undefined || signing !== undefined) continue;
    notebook.add(
      'config_bundle_unsigned',
      locate('policy', 'bundles', name),
      `the bundle ${name} comes from a service and needs no signature`,
      'sign it (countersign sign), name the key in policy.keys and write signing here',
    );
  }
}

function days(milliseconds: number): string {
  return `${Math.round(milliseconds / DAY)} days`;
}
