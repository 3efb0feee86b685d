import { matching } from './checks.js';

/** The SPIFFE ID of one workload. */
export const workloadId = matching(
  /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/,
  {
    wrong: 'is no SPIFFE ID of a workload',
    mend: 'write spiffe://example.org/ns/shop/sa/frontend',
  },
);

/** A pattern for SPIFFE IDs, as src/identity/spiffe-id-pattern.ts reads it. */
export const workloadIdPattern = matching(
  /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?:\*|(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+))*(?:\/\*\*|\/(?:\*|(?!\.{1,2}$)[A-Za-z0-9._-]+))$/,
  {
    wrong: 'is no pattern for SPIFFE IDs of workloads',
    mend: 'write spiffe://example.org/ns/shop/sa/web, with * for a whole segment or ** for all that follow: spiffe://example.org/** is the whole trust domain',
  },
);
