import { z } from 'zod';
import { checkAcross, isMapping, matching } from './checks.js';
import type { Fault } from './problem.js';
import { workloadId } from './spiffe-id-schema.js';

const template = matching(
  /^(?:\{[^{}]+\}|spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?:[A-Za-z0-9._-]|\{[^{}/]+\})+)+)$/,
  {
    wrong: 'is no SPIFFE ID with claims in its path',
    mend: 'write spiffe://example.org/ns/shop/sa/{client_id}, or {sub} where a claim is a SPIFFE ID itself',
  },
);

/** How claims name the workload that may present a token. */
export const workloadSchema = z
  .strictObject({
    spiffe_id: template
      .optional()
      .describe(
        'A SPIFFE ID with claims in braces, each a part of one segment: spiffe://example.org/ns/shop/sa/{client_id}. {sub} alone is a claim that is a SPIFFE ID itself.',
      ),
    claim: z.string().min(1).optional().describe('The claim that spiffe_ids is a table of.'),
    spiffe_ids: z
      .record(z.string().min(1), z.union([workloadId, z.array(workloadId).min(1)]))
      .optional()
      .describe("SPIFFE IDs by the claim's value: one, or a list of them."),
  })
  .check(checkAcross(formFaults));

function* formFaults(rule: unknown): Iterable<[PropertyKey[], Fault]> {
  if (!isMapping(rule)) return;
  const table = rule.claim !== undefined || rule.spiffe_ids !== undefined;
  if (rule.spiffe_id !== undefined && table)
    yield [
      ['claim'],
      { wrong: 'stands beside spiffe_id', mend: 'write either spiffe_id, or claim and spiffe_ids' },
    ];
  else if (rule.spiffe_id === undefined && (rule.claim === undefined || rule.spiffe_ids === undefined))
    yield [[], { wrong: 'is no rule', mend: 'write either spiffe_id, or claim and spiffe_ids' }];
}
