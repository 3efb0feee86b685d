import { formatRego } from '../../src/rego/formatter.js';

describe('formatRego', () => {
  test('lays files out and leaves those alone that are so already', async () => {
    const good = { path: 'b.rego', content: 'package b\n\nallow if input.x == 1\n' };
    const bad = { path: 'a.rego', content: 'package a\nallow   if {input.x==1}\n' };
    expect(await formatRego([bad, good])).toEqual([
      { path: 'a.rego', content: 'package a\n\nallow if input.x == 1\n' },
      good,
    ]);
  });

  test('keeps comments', async () => {
    const content = 'package a\n\n# why\nallow if input.x # so\n';
    expect(await formatRego([{ path: 'a.rego', content }])).toEqual([{ path: 'a.rego', content }]);
  });

  test('tells of every file that does not parse, and formats none then', async () => {
    const broken = { content: 'package a\n\nallow if {\n' };
    expect(
      await formatRego([
        { ...broken, path: 'a.rego' },
        { path: 'b.rego', content: 'package b\n' },
        { ...broken, path: 'c.rego' },
      ]),
    ).toMatchObject({
      refused: true,
      errors: [{ location: { file: 'a.rego' } }, { location: { file: 'c.rego' } }],
    });
  });
});
