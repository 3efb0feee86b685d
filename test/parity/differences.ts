/**
 * Where Countersign's answer is another one than opa-envoy-plugin's on purpose, each with its reason. The
 * migration page lists the same ones, under the same names.
 *
 * Those with `always` are part of every answer, and taken out before two answers are compared; each other one
 * belongs to the cases that name it.
 */
export const DIFFERENCES = {
  'own headers': {
    always: true,
    reason: 'x-countersign-* headers tell the upstream who called; a client’s own are removed.',
  },
  metadata: {
    always: true,
    reason: 'The decision’s id stands in countersign.decision_id, beside what else Countersign says there.',
  },
  'status message': { always: true, reason: 'status.message names the reason of the answer.' },
  'explicit answer': {
    always: true,
    reason:
      'A boolean has an ok_response or denied_response too, and a denial without a body a small JSON one: an answer that leaves something out depends on how Envoy reads it.',
  },
  'header overwrites': {
    always: true,
    reason:
      'A header for the upstream always replaces the client’s, in words that every version of Envoy reads alike; of several values the last one counts, and names are lower-case.',
  },
  fragment: { always: false, reason: 'What follows a # is no part of the query; Envoy cuts it off as well.' },
  'canonical path': {
    always: false,
    reason: 'parsed_path is the path that the upstream will serve: dot segments resolved, slashes merged.',
  },
  'refused path': {
    always: false,
    reason: 'A path that servers read in two ways is denied before the policy is asked.',
  },
  'malformed request': {
    always: false,
    reason:
      'The denial is the one of every other refusal (INVALID_ARGUMENT, 403), and quotes nothing of the request.',
  },
  'repeated member': { always: false, reason: 'The upstream may read the other one of the two members.' },
  'compressed body': {
    always: false,
    reason: 'What Envoy forwards is not what the upstream will read: truncated_body is true.',
  },
  'media type': {
    always: false,
    reason:
      'The media type is compared as a whole and in any letters, so that a client cannot name one type to the policy and another one to the upstream.',
  },
  'two types': { always: false, reason: 'The upstream may take either one.' },
  'strict multipart': { always: false, reason: 'What form parsers disagree on is refused.' },
  'bytes as text': {
    always: false,
    reason:
      'A body that came as bytes is there as body too, as Envoy writes it into text, and rawBody is base64 as in protobuf’s JSON.',
  },
  'raw headers': {
    always: false,
    reason:
      'Headers that came as bytes are there under headers too, so that a policy need not know how Envoy was configured.',
  },
  any: {
    always: false,
    reason: 'A google.protobuf.Any of a described type is read; the plugin refuses the request.',
  },
  'unusable result': {
    always: false,
    reason:
      'Undefined, an error or a value of the wrong kind is a denial with a reason, not a gRPC error, which failure_mode_allow would let through.',
  },
  'denial below 300': { always: false, reason: 'Envoy would send the client a 200 for a denial.' },
  'unnamed status': {
    always: false,
    reason: 'Any status from 300 to 599 may be sent, whether it has a name or not.',
  },
  'encoded query': { always: false, reason: 'Envoy puts the parameters into the query as they are.' },
  'request target': {
    always: false,
    reason: 'A policy that rewrites :path, :authority or host needs policy.allow_request_target_rewrite.',
  },
  'header syntax': {
    always: false,
    reason: 'A header that HTTP does not know, or that is Countersign’s own, makes the result invalid.',
  },
  'unused key': {
    always: false,
    reason: 'A key of the wrong kind is a mistake in the policy, also where this answer does not need it.',
  },
} satisfies { readonly [name: string]: { readonly always: boolean; readonly reason: string } };

export type DifferenceName = keyof typeof DIFFERENCES;

const OK = 0;
const UNKNOWN = 2;
const INVALID_ARGUMENT = 3;
const PERMISSION_DENIED = 7;
const INTERNAL = 13;

const callError = { callError: UNKNOWN };
const malformed = { code: INVALID_ARGUMENT, httpStatus: 403 };
const invalid = { code: INTERNAL, httpStatus: 403 };
const asked = { code: PERMISSION_DENIED, httpStatus: 403 };
const badRequest = { code: PERMISSION_DENIED, httpStatus: 400 };

/** What the two come to in the cases of a difference, where that is the same in all of them. */
export const MEANT: { readonly [name in DifferenceName]?: { plugin: object; countersign: object } } = {
  'refused path': { plugin: asked, countersign: malformed },
  'malformed request': { plugin: badRequest, countersign: malformed },
  'repeated member': { plugin: { ...asked, body: { parsed_body: { a: 2 } } }, countersign: malformed },
  'compressed body': {
    plugin: { body: { parsed_body: { a: 1 }, truncated_body: false } },
    countersign: { body: { parsed_body: null, truncated_body: true } },
  },
  'two types': { plugin: { ...asked, body: { parsed_body: {} } }, countersign: malformed },
  'strict multipart': { plugin: asked, countersign: malformed },
  any: { plugin: badRequest, countersign: asked },
  'unusable result': { plugin: callError, countersign: { httpStatus: 403 } },
  'denial below 300': { plugin: { code: PERMISSION_DENIED, httpStatus: 200 }, countersign: invalid },
  'unnamed status': { plugin: callError, countersign: { code: PERMISSION_DENIED, httpStatus: 499 } },
  'encoded query': { plugin: { queryToSet: ['a=b c'] }, countersign: { queryToSet: ['a=b%20c'] } },
  'request target': { plugin: { code: OK, headers: [':path: /b'] }, countersign: invalid },
  'header syntax': { plugin: { code: OK }, countersign: invalid },
  'unused key': { plugin: { code: OK }, countersign: invalid },
};

/** In these the input's `attributes` differ, and nothing else. */
export const ONLY_ATTRIBUTES: ReadonlySet<DifferenceName> = new Set(['bytes as text', 'raw headers']);
