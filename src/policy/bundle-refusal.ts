import { refuse, type Refusal } from '../errors/refusal.js';

/**
 * Why a bundle is not taken. The one in force stays.
 *
 * - `bundle_unreadable`: it is no bundle, or a file of it is not what it should be;
 * - `bundle_too_large`: packed or unpacked;
 * - `bundle_delta`: a patch instead of the whole;
 * - `bundle_without_policy`: it has neither Wasm nor Rego, and nothing else has;
 * - `bundle_roots`: it reaches beyond its roots, or they overlap with those of another one;
 * - `bundle_unreachable`: the service does not answer, or not with a bundle;
 * - the others: see {@link SignatureCode}.
 */
export type BundleCode =
  | 'bundle_unreadable'
  | 'bundle_too_large'
  | 'bundle_delta'
  | 'bundle_without_policy'
  | 'bundle_roots'
  | 'bundle_unreachable'
  | SignatureCode;

/**
 * - `bundle_unsigned`: a signature is needed, and there is none;
 * - `bundle_signed`: there is one, and no key to verify it with;
 * - `bundle_key_unknown`: it names a key that is not configured, or none;
 * - `bundle_signature_invalid`: it does not verify, or says nothing of files;
 * - `bundle_signature_expired`: by its `exp`, or not yet valid by its `nbf`;
 * - `bundle_scope_mismatch`: its `scope` is another;
 * - `bundle_file_unsigned`: a file is not covered by it;
 * - `bundle_file_missing`: a file that it covers is not there;
 * - `bundle_file_changed`: a file is not what was signed.
 */
export type SignatureCode =
  | 'bundle_unsigned'
  | 'bundle_signed'
  | 'bundle_key_unknown'
  | 'bundle_signature_invalid'
  | 'bundle_signature_expired'
  | 'bundle_scope_mismatch'
  | 'bundle_file_unsigned'
  | 'bundle_file_missing'
  | 'bundle_file_changed';

export type Unreadable = Refusal<BundleCode>;

export function unreadable(detail: string): Unreadable {
  return refuse('bundle_unreadable', detail);
}
