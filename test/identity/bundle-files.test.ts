import { mintTrustDomain } from '../../src/demo/trust-domain.js';
import { createBundleFiles } from '../../src/identity/bundle-files.js';

const one = await mintTrustDomain('one.example');
const other = await mintTrustDomain('other.example');

function setUp() {
  const disk: { [path: string]: string } = { '/one': one.bundlePem, '/other': other.bundlePem };
  let now = 1000;
  const files = createBundleFiles({
    files: new Map([
      ['one.example', '/one'],
      ['other.example', '/other'],
    ]),
    readFile: async (path) => {
      if (disk[path] === undefined) throw Object.assign(new Error(), { code: 'ENOENT' });
      return disk[path];
    },
    now: () => now,
  });
  return { disk, files, later: () => (now += 1000) };
}

describe('trust bundles from files', () => {
  test('are unknown until they were read, and come into force together', async () => {
    const { files } = setUp();
    expect(files.current().get('one.example')).toBeUndefined();
    expect(await files.refresh()).toBe(true);
    expect(files.current().get('one.example')?.authorities).toHaveLength(1);
    expect(files.current().get('other.example')?.authorities).toHaveLength(1);
  });

  test('stay the same object while nothing changed, so that verdicts on them may be kept', async () => {
    const { files } = setUp();
    await files.refresh();
    const before = files.current();
    expect(await files.refresh()).toBe(false);
    expect(files.current()).toBe(before);
  });

  test('a new file is a new revision', async () => {
    const { files, disk } = setUp();
    await files.refresh();
    const before = files.current();
    disk['/one'] = (await mintTrustDomain('one.example')).bundlePem;
    expect(await files.refresh()).toBe(true);
    expect(files.current().revision).toBe(before.revision + 1);
    expect(files.current().get('one.example')).not.toBe(before.get('one.example'));
    expect(files.current().get('other.example')).toBe(before.get('other.example'));
  });

  test.each([
    ['is broken', 'not a bundle', '/one: '],
    ['is gone', undefined, '/one: cannot be read (ENOENT)'],
  ])('the last good bundle stays while the file %s, and the status says so', async (_how, text, error) => {
    const { files, disk, later } = setUp();
    await files.refresh();
    later();
    if (text === undefined) delete disk['/one'];
    else disk['/one'] = text;
    expect(await files.refresh()).toBe(false);
    expect(files.current().get('one.example')?.authorities).toHaveLength(1);
    const [mine, others] = files.status();
    expect(mine).toMatchObject({ trustDomain: 'one.example', lastSuccess: 1000 });
    expect(mine?.error).toContain(error);
    expect(others).toEqual({ trustDomain: 'other.example', lastSuccess: 2000 });

    disk['/one'] = one.bundlePem;
    await files.refresh();
    expect(files.status()[0]).toEqual({ trustDomain: 'one.example', lastSuccess: 2000 });
  });

  test('a domain whose file was never good is unknown: it alone fails closed', async () => {
    const { files, disk } = setUp();
    disk['/one'] = '';
    await files.refresh();
    expect(files.current().get('one.example')).toBeUndefined();
    expect(files.current().get('other.example')).toBeDefined();
  });
});
