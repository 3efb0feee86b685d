import { formatRegoErrors } from '../../src/rego/errors.js';

const error = { code: 'rego_type_error', message: 'no such thing' };

describe('formatRegoErrors', () => {
  test('puts a caret below the column', () => {
    const at = { location: { file: 'a/b.rego', row: 7, col: 6 }, lineText: 'x := y' };
    expect(formatRegoErrors([{ ...error, ...at }])).toBe(
      'a/b.rego:7:6: rego_type_error: no such thing\nx := y\n     ^',
    );
  });

  test('keeps tabs, and counts characters rather than bytes or UTF-16 units', () => {
    const at = { location: { file: 'b.rego', row: 1, col: 8 }, lineText: '\t"é😀" + y' };
    expect(
      formatRegoErrors([{ ...error, ...at }])
        .split('\n')
        .at(-1),
    ).toBe('\t      ^');
  });

  test('indents the further lines of a message', () => {
    expect(formatRegoErrors([{ ...error, message: 'mismatch\nhave: 1\nwant: 2' }])).toBe(
      'rego_type_error: mismatch\n    have: 1\n    want: 2',
    );
  });

  test('writes a position alone where there is no line, and nothing where there is no position', () => {
    const located = { ...error, location: { file: 'b.rego', row: 3, col: 1 } };
    expect(formatRegoErrors([located, error])).toBe(
      'b.rego:3:1: rego_type_error: no such thing\nrego_type_error: no such thing',
    );
  });
});
