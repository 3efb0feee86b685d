import type { DestinationStream } from 'pino';
import type { CheckRequest } from '../../src/envoy/messages.js';
import { toFacts, traceOf } from '../../src/envoy/facts.js';
import { isRefusal } from '../../src/errors/refusal.js';
import type { PipelineOptions } from '../../src/decision/pipeline.js';
import type { Observation } from '../../src/telemetry/observation.js';
import { frontend, pipeline } from '../decision/fakes.js';

export const DURATIONS = { facts: 10_000, response: 20_000, total: 500_000 };

/** What Envoy sends for a request of `frontend`, with every credential that one may carry by default. */
export function checkRequest(http: object = {}): CheckRequest {
  return {
    attributes: {
      source: {
        address: { socketAddress: { address: '192.0.2.7', portValue: 40000 } },
        principal: frontend.spiffeId,
        certificate: 'leaf',
      },
      request: {
        http: {
          id: '1',
          method: 'GET',
          path: '/orders/7',
          host: 'shop',
          scheme: 'https',
          headers: {},
          ...http,
        },
      },
    },
  };
}

/** A request, decided: what telemetry gets to see of it. */
export async function observe(
  request: CheckRequest = checkRequest({ headers: { authorization: 'Bearer opaque' } }),
  options: Partial<PipelineOptions> = {},
): Promise<Observation> {
  const facts = toFacts(request);
  const decision = await pipeline(options).decide(facts, { deadline: Infinity });
  return { decision, ...(isRefusal(facts) ? { trace: traceOf(request) } : { facts }), durations: DURATIONS };
}

/** Keeps what is written. */
export class Sink implements DestinationStream {
  text = '';
  write(text: string) {
    this.text += text;
  }
  events(): Record<string, unknown>[] {
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}
