import type { CertificateFields } from './certificate-fields.js';
import { NAME_FORM, type NameConstraints, type Subtree } from './general-names.js';

/**
 * Whether a certificate lies within what a CA above it was limited to (RFC 5280 section 4.2.1.10). URIs are
 * compared by their host, which for a SPIFFE ID is the trust domain. A name of any other form that the CA
 * limits cannot be judged here, so a certificate that has one lies outside.
 */
export function withinConstraints(certificate: CertificateFields, constraints: NameConstraints): boolean {
  const { permitted, excluded } = constraints;
  const limited = new Set([...permitted, ...excluded].map(({ form }) => form));
  for (const form of limited) {
    if (form !== NAME_FORM.uri && hasForm(certificate, form)) return false;
  }
  if (!limited.has(NAME_FORM.uri)) return true;
  const permittedUris = permitted.filter(isUri);
  const excludedUris = excluded.filter(isUri);
  return certificate.names.uris.every((uri) => {
    const host = hostOf(uri);
    if (host === undefined) return false;
    const matches = ({ base }: Subtree) => hostMatches(host, base.toLowerCase());
    return (permittedUris.length === 0 || permittedUris.some(matches)) && !excludedUris.some(matches);
  });
}

function isUri({ form }: Subtree): boolean {
  return form === NAME_FORM.uri;
}

/** A constraint on directory names reaches the subject as well. */
function hasForm({ names, hasSubject }: CertificateFields, form: number): boolean {
  return names.forms.has(form) || (form === NAME_FORM.directory && hasSubject);
}

/** The host of a URI that is formed like a SPIFFE ID; an intermediate's may be of any other form. */
function hostOf(uri: string): string | undefined {
  return /^[a-z]+:\/\/([a-z0-9._-]+)(?:\/|$)/.exec(uri)?.[1];
}

/** With a leading dot, any host below; without one, that host alone; empty, every host. */
function hostMatches(host: string, base: string): boolean {
  if (base === '') return true;
  return base.startsWith('.') ? host.endsWith(base) && host.length > base.length : host === base;
}
