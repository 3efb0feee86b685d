import { describe, expect, it } from '@jest/globals';
import { HOST_BUILTINS, REFUSED_BUILTINS } from '../../../src/policy/builtins/index.js';
import { missingBuiltins } from '../../../src/policy/missing-builtins.js';
import { call, failure } from './context.js';

describe('trace', () => {
  it('holds, whatever the note', () => {
    expect(call('trace', 'here')).toBe(true);
    expect(failure('trace', 1)).toBe('operand 1 must be string but got number');
  });
});

describe('built-ins that are refused', () => {
  it.each(['http.send', 'net.lookup_ip_addr', 'opa.runtime', 'rego.parse_module'])(
    '%s, with the reason',
    (name) => {
      expect(HOST_BUILTINS).not.toHaveProperty([name]);
      expect(missingBuiltins([name])).toEqual([`${name} (${REFUSED_BUILTINS[name]})`]);
    },
  );
});
