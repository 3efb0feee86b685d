import type { X509Certificate } from 'node:crypto';
import { Agent, request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { TIMEOUT } from '../../src/demo/mtls-request.js';
import type { Echo } from '../../src/demo/upstream.js';
import type { SpireWorkloads } from '../support/spire-workloads.js';

/** One workload that asks for one thing, again and again. */
export interface Caller {
  /** Where its certificates and its roots come from. */
  readonly workloads: SpireWorkloads;
  readonly spiffeId: string;
  readonly path: string;
  /** Whether it has to be let through; else its policy denies it. */
  readonly allowed: boolean;
}

/** What became of one call. */
export interface Answer {
  readonly caller: Caller;
  /** When it was sent, and when it was over: milliseconds since the epoch. */
  readonly sent: number;
  readonly over: number;
  /** Whether it went over a connection that was there before. */
  readonly kept: boolean;
  /** `allowed`, the reason of a denial, or what went wrong. */
  readonly outcome: string;
}

/** Every so many calls go over a connection of their own: a full handshake with what is newest on both sides. */
const FRESH = 6;
const PAUSE_MS = 15;

/** Calls without a pause in them, each over mTLS with what the agents gave last. */
export class Load {
  readonly answers: Answer[] = [];
  /** The newest certificate that the server showed, and who saw it. */
  readonly serverCertificates = new Map<Caller, X509Certificate>();
  private running = true;
  private readonly loops: Promise<void>[];

  /**
   * @param server the trust domain of the server at the port
   * @param loyal whether a connection is kept when there is a newer certificate to show
   */
  constructor(
    readonly port: number,
    private readonly server: string,
    readonly callers: readonly Caller[],
    private readonly loyal = false,
  ) {
    this.loops = callers.map((caller) => this.loop(caller));
  }

  /** @returns all answers */
  async stop(): Promise<readonly Answer[]> {
    this.running = false;
    await Promise.all(this.loops);
    return this.answers;
  }

  private async loop(caller: Caller): Promise<void> {
    let kept: Agent | undefined;
    const renew = () => {
      kept?.destroy();
      kept = undefined;
    };
    let changed = false;
    const forget = caller.workloads.onChange(() => (changed = true));
    for (let calls = 1; this.running; calls++) {
      // Between two calls, as a client does that cares for its calls.
      if (changed && !this.loyal) renew();
      changed = false;
      const fresh = calls % FRESH === 0;
      kept ??= new Agent({ keepAlive: true, maxSockets: 1 });
      this.answers.push(await this.call(caller, fresh ? undefined : kept));
      await sleep(PAUSE_MS);
    }
    forget();
    renew();
  }

  private async call(caller: Caller, agent: Agent | undefined): Promise<Answer> {
    const sent = Date.now();
    let kept = false;
    let outcome: string;
    try {
      [outcome, kept] = await this.ask(caller, agent);
    } catch (error) {
      outcome = `failed: ${(error as Error).message}`;
    }
    return { caller, sent, over: Date.now(), kept, outcome };
  }

  private ask(caller: Caller, agent: Agent | undefined): Promise<[outcome: string, kept: boolean]> {
    return new Promise((resolve, reject) => {
      const { workloads, spiffeId, path } = caller;
      const { certPem: cert, keyPem: key } = workloads.svid(spiffeId);
      const ca = workloads.authorities(this.server).map(String);
      const request = httpsRequest(
        {
          ...{ agent: agent ?? false, host: '127.0.0.1', port: this.port, servername: 'localhost' },
          ...{ path, ca, cert, key, timeout: TIMEOUT },
        },
        (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => (body += text));
          response.on('error', reject);
          response.on('end', () =>
            resolve([outcomeOf(response.statusCode!, body, spiffeId), request.reusedSocket]),
          );
        },
      );
      request.on('socket', (socket: TLSSocket) => {
        if (request.reusedSocket) return;
        socket.once('secureConnect', () =>
          this.serverCertificates.set(caller, socket.getPeerX509Certificate()!),
        );
      });
      request.on('timeout', () => request.destroy(new Error('no answer')));
      request.on('error', reject).end();
    });
  }
}

function outcomeOf(status: number, body: string, spiffeId: string): string {
  let answer: Partial<Echo> & { readonly reason?: string };
  try {
    answer = JSON.parse(body);
  } catch {
    // Envoy's own words.
    return `failed: ${status} ${body}`;
  }
  if (status === 403 && answer.reason !== undefined) return answer.reason;
  if (status !== 200) return `failed: ${status} ${answer.reason}`;
  const seen = answer.headers?.['x-countersign-spiffe-id'];
  return seen === spiffeId ? 'allowed' : `failed: the upstream was told of ${seen}`;
}
