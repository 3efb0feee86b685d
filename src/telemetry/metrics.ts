import {
  collectDefaultMetrics,
  Counter,
  Gauge,
  Registry,
  type MetricObjectWithValues,
  type MetricValue,
} from 'prom-client';
import type { ReasonCode } from '../decision/reasons.js';
import type { Observation } from './observation.js';
import { StageHistogram } from './stage-histogram.js';
import { createPolicyMetrics, type PolicyMetrics } from './policy-metrics.js';

/** Where gauges of freshness are read from when somebody scrapes. Times are milliseconds since the epoch. */
export interface FreshnessSources {
  readonly jwks: () => readonly {
    readonly issuer: string;
    readonly keys: number;
    readonly stale: boolean;
    readonly lastSuccess?: number;
  }[];
  readonly trustBundles: () => readonly {
    readonly trustDomain: string;
    readonly lastSuccess?: number;
    /** Why nothing of the domain is trusted now; absent while something may be. */
    readonly unavailable?: string;
  }[];
  /** The streams of the Workload API; none where it is not used. */
  readonly workloadApi?: () => readonly { readonly stream: string; readonly lastSuccess?: number }[];
  /** The list of what was revoked; undefined where there is none. */
  readonly revocations?: () => RevocationStanding | undefined;
  /** Security events so far, by what became of them. */
  readonly signals?: () => ReadonlyMap<string, number> | undefined;
  /** What the server proves itself with where Envoy asks; undefined where it does not. */
  readonly endpoint?: () => { readonly notAfter?: number } | undefined;
  /** The servers that are asked when a request needs them. */
  readonly servers?: () => readonly {
    readonly askedFor: string;
    readonly server: string;
    readonly error: string | undefined;
  }[];
  readonly policy: () => { readonly revision: string; readonly loadedAt: number } | undefined;
  /** What the policy is made of; one part called `policy` where it is a folder or a file. */
  readonly bundles?: () => readonly {
    readonly name: string;
    readonly revision?: string;
    readonly lastSuccess?: number;
    readonly error?: unknown;
  }[];
  /** The processes that answer, where there are several. */
  readonly workers?: () => readonly {
    readonly worker: number;
    readonly state: WorkerState;
    readonly connections: number;
    readonly deaths: number;
  }[];
}

export interface RevocationStanding {
  readonly entries: number;
  readonly loaded: boolean;
  readonly unreachableSince?: number;
  readonly fileError?: string;
  readonly storeError?: string;
}

export const WORKER_STATES = ['starting', 'ready', 'dead'] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

/** One metric with its values, as plain data. */
export type Snapshot = MetricObjectWithValues<MetricValue<string>>;

/** What the server counts. Labels are bounded: no subject, no path, no SPIFFE ID. */
export interface Metrics {
  observe(observation: Observation): void;
  decisionLogDropped(cause: DropCause): void;
  /** A request was not looked at. */
  requestDropped(cause: RequestDrop): void;
  /** A connection was refused, or ended as its client is accepted no more. */
  connectionRefused(cause: ConnectionRefusal): void;
  readonly policy: PolicyMetrics;
  /** What stands in {@link text}, as plain data. Without `all`, only what Countersign itself counts. */
  snapshot(all: boolean): Promise<Snapshot[]>;
  /** Prometheus' text exposition format. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** `masking`: it could not be masked; `backpressure`: the sink was too slow; `failure`: anything else. */
export type DropCause = 'masking' | 'backpressure' | 'failure';

/** `cancelled`: its caller gave up; `deadline`: its caller's time was over; `overload`: too many waited. */
export type RequestDrop = 'cancelled' | 'deadline' | 'overload';

/** Why a connection of `listen.tls` is refused. */
export const CONNECTION_REFUSALS = [
  'svid_unavailable',
  'handshake_failed',
  'handshake_timeout',
  'handshake_overload',
  'protocol_unsupported',
  'client_not_accepted',
  'identity_revoked',
  'certificate_missing',
  'certificate_malformed',
  'certificate_untrusted',
  'certificate_expired',
  'certificate_not_yet_valid',
  'certificate_usage_invalid',
  'spiffe_id_missing',
  'spiffe_id_ambiguous',
  'spiffe_id_invalid',
  'trust_domain_unknown',
  'trust_bundle_unavailable',
] as const;
export type ConnectionRefusal = (typeof CONNECTION_REFUSALS)[number];

/** Seconds; from what a warm decision takes to what a caller waits at most. */
const BUCKETS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

const STAGES = ['facts', 'identity', 'token', 'policy', 'response'];
const STAGE = { facts: 0, identity: 1, token: 2, policy: 3, response: 4 } as const;

export function createMetrics(version: string, sources: FreshnessSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  /** What was counted since the last scrape: a look-up in a map, where prom-client makes a text of the labels. */
  const uncounted = new Map<ReasonCode, { allow: number; deny: number }>();
  const count = (outcome: 'allow' | 'deny', reason: ReasonCode) => {
    let counts = uncounted.get(reason);
    if (counts === undefined) uncounted.set(reason, (counts = { allow: 0, deny: 0 }));
    counts[outcome]++;
  };
  const upstreamTokens = new Counter({
    name: 'countersign_upstream_tokens_total',
    help: 'Tokens given to upstreams, by the server of broker.servers, and whether it was asked for that request.',
    labelNames: ['server', 'obtained'],
    registers,
  });
  new Counter({
    name: 'countersign_decisions_total',
    help: 'Decisions, by outcome and reason code.',
    labelNames: ['outcome', 'reason'],
    registers,
    collect() {
      for (const [reason, counts] of uncounted)
        for (const outcome of ['allow', 'deny'] as const)
          if (counts[outcome] > 0) this.inc({ outcome, reason }, counts[outcome]);
      uncounted.clear();
    },
  });
  const duration = new StageHistogram({
    name: 'countersign_decision_duration_seconds',
    help: 'From the decoded request to the answer handed over.',
    buckets: BUCKETS,
    registers,
  });
  const stages = new StageHistogram({
    name: 'countersign_stage_duration_seconds',
    help: 'Time in one stage of a decision; token includes waiting for keys.',
    label: { name: 'stage', values: STAGES },
    buckets: BUCKETS,
    registers,
  });
  const dropped = new Counter({
    name: 'countersign_decision_log_dropped_total',
    help: 'Decision-log events that were not written.',
    labelNames: ['cause'],
    registers,
  });
  for (const cause of ['masking', 'backpressure', 'failure']) dropped.inc({ cause }, 0);
  const requests = new Counter({
    name: 'countersign_requests_dropped_total',
    help: 'Requests that were not looked at.',
    labelNames: ['cause'],
    registers,
  });
  for (const cause of ['cancelled', 'deadline', 'overload']) requests.inc({ cause }, 0);
  const connections = new Counter({
    name: 'countersign_connections_refused_total',
    help: 'Connections of listen.tls that were refused, or ended as their client is accepted no more.',
    labelNames: ['cause'],
    registers,
  });
  for (const cause of CONNECTION_REFUSALS) connections.inc({ cause }, 0);
  const build = new Gauge({
    name: 'countersign_build_info',
    help: 'Always 1; the labels tell what runs.',
    labelNames: ['version', 'node'],
    registers,
  });
  build.set({ version, node: process.version }, 1);
  registerFreshness(registers, sources);

  return {
    observe({ decision, durations }) {
      count(decision.outcome, decision.reason);
      const { upstreamToken } = decision;
      if (upstreamToken) upstreamTokens.inc({ server: upstreamToken.from, obtained: upstreamToken.obtained });
      duration.observe(0, durations.total / 1e9);
      stages.observe(STAGE.facts, durations.facts / 1e9);
      const { identity, token, policy } = decision.timings;
      if (identity !== undefined) stages.observe(STAGE.identity, identity / 1e9);
      if (token !== undefined) stages.observe(STAGE.token, token / 1e9);
      if (policy !== undefined) stages.observe(STAGE.policy, policy / 1e9);
      stages.observe(STAGE.response, durations.response / 1e9);
    },
    policy: createPolicyMetrics(registers),
    decisionLogDropped: (cause) => dropped.inc({ cause }),
    requestDropped: (cause) => requests.inc({ cause }),
    connectionRefused: (cause) => connections.inc({ cause }),
    async snapshot(all) {
      if (all) return (await registry.getMetricsAsJSON()) as Snapshot[];
      const own = registry
        .getMetricsAsArray()
        .filter(({ name }) => (name as unknown as string).startsWith('countersign_'));
      return Promise.all(
        own.map(async (metric) => (await (metric as unknown as Gettable).get()) as Snapshot),
      );
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** Gauges that are read off their source at each scrape, so that what is gone leaves no label behind. */
function registerFreshness(registers: Registry[], sources: FreshnessSources): void {
  const gauge = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        collect(this);
      },
    });
  const jwks = (
    name: string,
    help: string,
    value: (status: ReturnType<FreshnessSources['jwks']>[number]) => number | undefined,
  ) =>
    gauge(name, help, ['issuer'], (made) => {
      for (const status of sources.jwks()) {
        const number = value(status);
        if (number !== undefined) made.set({ issuer: status.issuer }, number);
      }
    });

  jwks('countersign_jwks_keys', "Keys of the issuer's set that can verify.", ({ keys }) => keys);
  jwks(
    'countersign_jwks_stale',
    '1 when the keys are too old to be used, or were never loaded.',
    ({ stale }) => (stale ? 1 : 0),
  );
  jwks(
    'countersign_jwks_last_success_timestamp_seconds',
    'When the keys were last fetched.',
    ({ lastSuccess }) => seconds(lastSuccess),
  );
  gauge(
    'countersign_trust_bundle_last_success_timestamp_seconds',
    "When the source of the trust domain's bundle last vouched for it.",
    ['trust_domain'],
    (made) => {
      for (const { trustDomain, lastSuccess } of sources.trustBundles())
        if (lastSuccess !== undefined) made.set({ trust_domain: trustDomain }, seconds(lastSuccess)!);
    },
  );
  gauge(
    'countersign_workload_api_last_message_timestamp_seconds',
    'When the Workload API last sent something in this stream.',
    ['stream'],
    (made) => {
      for (const { stream, lastSuccess } of sources.workloadApi?.() ?? [])
        if (lastSuccess !== undefined) made.set({ stream }, seconds(lastSuccess)!);
    },
  );
  gauge(
    'countersign_trust_bundle_unavailable',
    '1 when the trust domain has no bundle that may be used: its workloads are refused.',
    ['trust_domain'],
    (made) => {
      for (const { trustDomain, unavailable } of sources.trustBundles())
        made.set({ trust_domain: trustDomain }, unavailable === undefined ? 0 : 1);
    },
  );
  gauge(
    'countersign_svid_expiry_timestamp_seconds',
    'When the X.509-SVID that the server shows on listen.tls expires. Absent while there is none.',
    [],
    (made) => {
      const notAfter = sources.endpoint?.()?.notAfter;
      // Without labels, a reset leaves a zero, and a zero is a day in 1970.
      if (notAfter === undefined) made.remove();
      else made.set(seconds(notAfter)!);
    },
  );
  gauge(
    'countersign_server_failing',
    '1 when the last question to a server that is asked when a request needs it had no answer.',
    ['asked_for', 'server'],
    (made) => {
      for (const { askedFor, server, error } of sources.servers?.() ?? [])
        made.set({ asked_for: askedFor, server }, error === undefined ? 0 : 1);
    },
  );
  gauge('countersign_policy_loaded_timestamp_seconds', 'When the policy in force was loaded.', [], (made) => {
    const policy = sources.policy();
    if (policy) made.set(seconds(policy.loadedAt)!);
    else made.remove();
  });
  registerBundles(gauge, sources);
  registerRevocations(gauge, sources);
  registerSignals(registers, sources);
  if (sources.workers) registerWorkers(registers, gauge, sources.workers);
  gauge('countersign_policy_info', 'Always 1; the label is the revision in force.', ['revision'], (made) => {
    const policy = sources.policy();
    if (policy) made.set({ revision: policy.revision }, 1);
  });
}

interface Gettable {
  get(): Promise<unknown>;
}

type MakeGauge = (name: string, help: string, labels: string[], collect: (gauge: Gauge) => void) => Gauge;

const SIGNAL_RESULTS = [
  'applied',
  'no_effect',
  'verification',
  'unmatched',
  'repeated',
  'refused',
  'unavailable',
];

function registerSignals(registers: Registry[], { signals = () => undefined }: FreshnessSources): void {
  new Counter({
    name: 'countersign_security_events_total',
    help: 'Events of Shared Signals, by what became of them.',
    labelNames: ['result'],
    registers,
    collect() {
      this.reset();
      const counts = signals();
      for (const result of SIGNAL_RESULTS) this.inc({ result }, counts?.get(result) ?? 0);
    },
  });
}

function registerRevocations(gauge: MakeGauge, { revocations = () => undefined }: FreshnessSources): void {
  const measure = (name: string, help: string, value: (standing: RevocationStanding) => number | undefined) =>
    gauge(name, help, [], (made) => {
      const standing = revocations();
      const number = standing && value(standing);
      if (number === undefined) made.remove();
      else made.set(number);
    });
  measure('countersign_revocations', 'Entries on the list of what was revoked.', ({ entries }) => entries);
  measure(
    'countersign_revocations_failing',
    '1 while the list was not read yet, its file is refused, or its store fails or does not answer.',
    ({ loaded, unreachableSince, fileError, storeError }) =>
      loaded && (unreachableSince ?? fileError ?? storeError) === undefined ? 0 : 1,
  );
  measure(
    'countersign_revocations_unreachable_timestamp_seconds',
    'Since when the store has not answered. Absent while it does.',
    ({ unreachableSince }) => seconds(unreachableSince),
  );
}

function registerBundles(gauge: MakeGauge, { bundles = () => [] }: FreshnessSources): void {
  gauge(
    'countersign_bundle_info',
    'Always 1; the label is the revision in force.',
    ['bundle', 'revision'],
    (made) => {
      for (const { name, revision } of bundles())
        if (revision !== undefined) made.set({ bundle: name, revision }, 1);
    },
  );
  gauge(
    'countersign_bundle_last_success_timestamp_seconds',
    'When the bundle was last seen and good, changed or not.',
    ['bundle'],
    (made) => {
      for (const { name, lastSuccess } of bundles())
        if (lastSuccess !== undefined) made.set({ bundle: name }, seconds(lastSuccess)!);
    },
  );
  gauge(
    'countersign_policy_reload_failing',
    '1 while what was seen last is refused, and an older one serves.',
    ['bundle'],
    (made) => {
      for (const { name, error } of bundles()) made.set({ bundle: name }, error === undefined ? 0 : 1);
    },
  );
}

function registerWorkers(
  registers: Registry[],
  gauge: MakeGauge,
  workers: NonNullable<FreshnessSources['workers']>,
): void {
  gauge('countersign_workers', 'Processes that answer, by their state.', ['state'], (made) => {
    for (const state of WORKER_STATES)
      made.set({ state }, workers().filter((worker) => worker.state === state).length);
  });
  gauge('countersign_worker_connections', 'Connections that a worker serves.', ['worker'], (made) => {
    for (const { worker, connections } of workers()) made.set({ worker }, connections);
  });
  new Counter({
    name: 'countersign_worker_deaths_total',
    help: 'Workers that ended without being asked to, and were replaced.',
    registers,
    collect() {
      this.reset();
      this.inc(workers().reduce((sum, { deaths }) => sum + deaths, 0));
    },
  });
}

function seconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000;
}
