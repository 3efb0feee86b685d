import { PassThrough } from 'node:stream';
import { relayLines } from '../../src/telemetry/line-relay.js';

/** What was passed on, block by block. */
function relay(longest?: number) {
  const source = new PassThrough({ highWaterMark: 64 });
  const blocks: string[] = [];
  let held: Promise<void> = Promise.resolve();
  const ended = relayLines(source, {
    put(lines) {
      blocks.push(lines.toString());
      return held;
    },
    ...(longest !== undefined && { longest }),
  });
  return {
    source,
    blocks,
    ended,
    hold() {
      let release = () => {};
      held = new Promise((resolve) => (release = resolve));
      return () => release();
    },
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('lines that come in pieces go on whole', async () => {
  const { source, blocks, ended } = relay();
  for (const piece of ['{"a', '":1}\n{"b":', '2}\n', '{"c"', ':', '3}\n{"d":4}\n']) {
    source.write(piece);
    await turn();
  }
  source.end();
  await ended;
  expect(blocks).toEqual(['{"a":1}\n', '{"b":2}\n', '{"c":3}\n{"d":4}\n']);
});

test('half a line of a process that died goes nowhere', async () => {
  const { source, blocks, ended } = relay();
  source.write('{"a":1}\n{"b":');
  await turn();
  source.destroy(new Error('it is gone'));
  await ended;
  expect(blocks).toEqual(['{"a":1}\n']);
});

test('what nobody takes is not read', async () => {
  const { source, blocks, ended, hold } = relay();
  const release = hold();
  source.write('first\n');
  await turn();
  let room = true;
  for (let n = 0; n < 100; n++) {
    room = source.write(`${'x'.repeat(20)}\n`);
    await turn();
  }
  expect(room).toBe(false);
  expect(blocks).toEqual(['first\n']);
  release();
  source.end();
  await ended;
  expect(blocks.join('')).toBe(`first\n${`${'x'.repeat(20)}\n`.repeat(100)}`);
});

test('a line that does not end is given up, and what follows goes on', async () => {
  const { source, blocks, ended } = relay(100);
  source.write('first\n');
  for (let n = 0; n < 50; n++) {
    source.write('x'.repeat(50));
    await turn();
  }
  source.write('x\nnext\nlast');
  await turn();
  source.end('\n');
  await ended;
  expect(blocks).toEqual(['first\n', 'next\n', 'last\n']);
});
