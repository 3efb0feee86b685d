import { Turns } from '../../src/server/turns.js';

/** Turns whose clock goes on by what each task says that it takes. */
function setUp(most = 1000) {
  let clock = 0;
  const done: string[] = [];
  const turns = new Turns(most, () => clock);
  const offer = (caller: object, name: string, milliseconds: number) =>
    turns.offer(caller, {
      run() {
        clock += milliseconds;
        done.push(name);
      },
    });
  return { done, offer };
}

const stretch = () => new Promise((resolve) => setImmediate(resolve));

describe('what there is to do', () => {
  test('is done at once as long as it is little', async () => {
    const { done, offer } = setUp();
    const caller = {};
    for (let n = 0; n < 4; n++) offer(caller, `${n}`, 1);
    expect(done).toEqual(['0', '1', '2', '3']);
    await stretch();
    offer(caller, 'later', 1);
    expect(done.at(-1)).toBe('later');
  });

  test('waits once it is much, and the event loop has its turn after five milliseconds each', async () => {
    const { done, offer } = setUp();
    const caller = {};
    for (let n = 0; n < 20; n++) offer(caller, `${n}`, 2);
    const counts = [done.length];
    for (let n = 0; n < 6; n++) {
      await stretch();
      counts.push(done.length);
    }
    expect(counts).toEqual([3, 6, 9, 12, 15, 18, 20]);
    expect(done).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`));
  });

  test('of one caller does not hold up the others', async () => {
    const { done, offer } = setUp();
    const [flood, calm] = [{}, {}];
    for (let n = 0; n < 100; n++) offer(flood, `flood ${n}`, 5);
    offer(calm, 'calm', 1);
    await stretch();
    await stretch();
    expect(done).toEqual(['flood 0', 'flood 1', 'calm', 'flood 2']);
  });

  test('is refused beyond the bound, and what was taken is done all the same', async () => {
    const { done, offer } = setUp(2);
    const caller = {};
    const taken = ['a', 'b', 'c', 'd'].map((name) => offer(caller, name, 10));
    expect(taken).toEqual([true, true, true, false]);
    for (let n = 0; n < 3; n++) await stretch();
    expect(done).toEqual(['a', 'b', 'c']);
    expect(offer(caller, 'e', 1)).toBe(true);
    expect(done).toEqual(['a', 'b', 'c', 'e']);
  });
});
