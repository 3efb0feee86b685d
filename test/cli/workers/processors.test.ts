import { workerCount } from '../../../src/cli/workers/processors.js';

const count = (files: { [path: string]: string }, parallelism = 8) =>
  workerCount({ workers: 'auto' }, { parallelism, read: (path) => Promise.resolve(files[path]) });

test('a number of workers is that number', async () => {
  expect(await workerCount({ workers: 3 })).toBe(3);
});

describe('auto', () => {
  test('is one for each processor where nothing limits them', async () => {
    expect(await count({})).toBe(8);
    expect(await count({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' })).toBe(8);
  });

  test.each([
    ['250000 100000', 2],
    ['50000 100000', 1],
    ['1600000 100000', 8],
  ])('knows the quota of its control group: %s', async (max, expected) => {
    expect(await count({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': `${max}\n` })).toBe(
      expected,
    );
  });

  test('takes the least of a control group and of those that hold it', async () => {
    const files = {
      '/proc/self/cgroup': '0::/kube/pod:1/container\n',
      '/sys/fs/cgroup/kube/pod:1/container/cpu.max': 'max 100000\n',
      '/sys/fs/cgroup/kube/pod:1/cpu.max': '300000 100000\n',
      '/sys/fs/cgroup/kube/cpu.max': '600000 100000\n',
    };
    expect(await count(files)).toBe(3);
  });

  test('reads version 1 as well, where -1 is no quota', async () => {
    const group = '/sys/fs/cgroup/cpu,cpuacct/docker/1';
    const files = {
      '/proc/self/cgroup': '4:memory:/docker/1\n3:cpu,cpuacct:/docker/1\n',
      [`${group}/cpu.cfs_quota_us`]: '400000\n',
      [`${group}/cpu.cfs_period_us`]: '100000\n',
      '/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us': '100000\n',
    };
    expect(await count(files)).toBe(4);
  });

  test('gives at least one', async () => {
    expect(await count({}, 1)).toBe(1);
  });
});
