import { z } from 'zod';
import { ALGORITHMS } from './algorithms.js';
import { check } from './checks.js';
import type { Fault } from './problem.js';

/** A signature algorithm of those that can be verified without being able to sign. */
export const algorithm = z
  .string()
  .check(check(algorithmFault, true))
  .meta({ enum: ALGORITHMS })
  .pipe(z.enum(ALGORITHMS));

function algorithmFault(name: string): Fault | undefined {
  if ((ALGORITHMS as readonly string[]).includes(name)) return undefined;
  const mend = `write some of ${ALGORITHMS.join(', ')}`;
  if (/^none$/i.test(name)) return { wrong: 'means unsigned: such tokens are never accepted', mend };
  if (/^HS/i.test(name)) return { wrong: 'is an HMAC: whoever can verify it can also mint tokens', mend };
  return { wrong: 'is no algorithm that tokens may be signed with', mend };
}
