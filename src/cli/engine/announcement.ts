import type { Log } from '../../telemetry/log.js';
import { version } from '../version.js';

/** Milliseconds between two looks for the first policy of a service. */
const FIRST_POLICY = 100;

export interface AnnouncementOptions {
  /** What is told beside the revision and the version. */
  readonly serves: { readonly grpc: string; readonly admin: string | undefined; readonly workers?: number };
  /** Of the policy in force. */
  readonly revision: () => string | undefined;
  /** Whether all else is there. */
  readonly ready: () => boolean;
  /** Called once, when it begins to serve. */
  readonly onServing?: () => void;
}

/** Tells once that it serves: now, or when the first policy has come from its service. */
export function startAnnouncement(
  log: Log,
  { serves, revision, ready, onServing }: AnnouncementOptions,
): { stop(): void } {
  const announce = () => {
    const current = revision();
    if (current === undefined || !ready()) return;
    clearInterval(waiting);
    onServing?.();
    log.info({ ...serves, revision: current, version }, 'serving');
  };
  const waiting = setInterval(announce, FIRST_POLICY);
  waiting.unref();
  announce();
  if (revision() === undefined) {
    const { grpc, admin } = serves;
    log.warn(
      { grpc, admin },
      'there is no policy yet, and so everything is denied; waiting for the bundle service',
    );
  }
  return { stop: () => clearInterval(waiting) };
}
