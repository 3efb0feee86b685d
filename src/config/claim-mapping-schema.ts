import { z } from 'zod';
import { check } from './checks.js';
import type { Fault } from './problem.js';

function claimFault(path: string): Fault | undefined {
  if (path === '') return { wrong: 'is empty', mend: 'write the name of a claim' };
  if (path.startsWith('/')) {
    if (/^(\/([^~/]|~[01])+)+$/.test(path)) return undefined;
    return { wrong: 'is not a JSON pointer', mend: 'write it like /realm_access/roles (RFC 6901)' };
  }
  // https://shop.example.org/roles is a name that people do give to claims.
  if (path.includes('.') && !path.includes(':')) {
    const [nested, literal] = [`/${path.replaceAll('.', '/')}`, `/${path}`];
    return {
      wrong: 'has dots, which can mean a nested claim or a name',
      mend: `write ${nested} for the nested claim, or ${literal} for a claim of this name`,
    };
  }
  return undefined;
}

const claims = (names: string[], what: string) =>
  z
    .array(z.string().check(check(claimFault, true)))
    .default(names)
    .describe(`${what} A claim's name, or a JSON pointer to a nested one (/realm_access/roles).`);

/** `token.issuers[].claims`: what policies see as scopes, roles and groups. */
export const claimMappingSchema = z
  .strictObject({
    scopes: claims(
      ['scope', 'scp'],
      'The claims that hold scopes, as an array or as text with spaces between.',
    ),
    roles: claims(['roles'], 'The claims that hold roles, as an array or as the text of a single one.'),
    groups: claims(['groups'], 'The claims that hold groups, as an array or as the text of a single one.'),
  })
  .prefault({})
  .describe('Which claims hold what a token grants. Several are taken together.');
