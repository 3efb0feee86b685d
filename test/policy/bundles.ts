import type { BundleContent } from '../../src/policy/bundle.js';
import type { Policy } from '../../src/policy/types.js';
import { permit } from '../decision/fakes.js';

/** A bundle's content with nothing in it but what a test is about. */
export function content(digest: string, overrides: Partial<BundleContent> = {}): BundleContent {
  return { digest, revision: `r-${digest}`, roots: [''], bytes: 0, rego: [], data: {}, ...overrides };
}

export function policyNamed(revision: string): Policy {
  return { revision, entrypoints: ['mesh/authz/decision'], evaluate: () => permit };
}
