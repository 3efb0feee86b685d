import { HOST_BUILTINS } from '../../../src/policy/builtins/index.js';
import { call, callText, context } from './call.js';

const VERSION_2 =
  '{"clocksequence": 12800, "domain": "Person", "id": 1000, "macvariables": "local:unicast", ' +
  '"nodeid": "32-50-96-b3-9f-47", "time": 1693566990121469600, "variant": "RFC4122", "version": 2}';

describe('uuid.parse', () => {
  test.each([
    ['00000000-0000-4000-8000-000000000000', '{"variant": "RFC4122", "version": 4}'],
    ['{00000000-0000-4000-8000-000000000000}', '{"variant": "RFC4122", "version": 4}'],
    ['6bea8ef2d3d33cd184e09bab06a52ece', '{"variant": "RFC4122", "version": 3}'],
    ['000003e8-48b9-21ee-b200-325096b39f47', VERSION_2],
    ['URN:UUID:000003e8-48b9-21ee-b200-325096b39f47', VERSION_2],
    ['00000000-0000-0000-c000-000000000000', '{"variant": "Microsoft", "version": 0}'],
    ['00000000-0000-0000-e000-000000000000', '{"variant": "Future", "version": 0}'],
    ['00000000-0000-0000-0000-000000000000', '{"variant": "Reserved", "version": 0}'],
  ])('%s', (text, expected) => {
    expect(callText('uuid.parse', JSON.stringify(text))).toBe(expected);
  });

  test.each(['', '123', '00000000-0000-4000-8000-00000000000g', '00000000_0000-4000-8000-000000000000'])(
    'leaves %p undefined',
    (text) => {
      expect(call('uuid.parse', text)).toBeUndefined();
    },
  );

  test('wants a string', () => {
    expect(() => call('uuid.parse', 1)).toThrow('operand 1 must be string but got number');
  });
});

describe('uuid.rfc4122', () => {
  const rfc4122 = HOST_BUILTINS['uuid.rfc4122']!;

  test('is a random one, the same for the same key in one evaluation', () => {
    const evaluation = context();
    const first = rfc4122(evaluation, 'key') as string;
    expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(rfc4122(evaluation, 'key')).toBe(first);
    expect(rfc4122(evaluation, 'other')).not.toBe(first);
    expect(rfc4122(context(), 'key')).not.toBe(first);
  });

  test('is what uuid.parse calls version 4', () => {
    expect(callText('uuid.parse', JSON.stringify(call('uuid.rfc4122', 'key')))).toBe(
      '{"variant": "RFC4122", "version": 4}',
    );
  });
});
