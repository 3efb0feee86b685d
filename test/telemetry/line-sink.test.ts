import { spawn } from 'node:child_process';
import { once } from 'node:events';

const MODULE = new URL('../../dist/telemetry/line-sink.js', import.meta.url).href;

/** Writes 2 MB to standard output in a process of its own, closes within a second, and ends. */
function writer(command: string) {
  const program = `
    import { createLineSink, standardOutput } from ${JSON.stringify(MODULE)};
    const sink = createLineSink({ to: standardOutput(), capacity: 1 << 24, onDrop() {} });
    for (let i = 0; i < 200; i++) sink.write('x'.repeat(10_000) + '\\n');
    await sink.close(1_000);
    console.error('closed');
    process.exit(0);`;
  return spawn('sh', ['-c', command], {
    env: { ...process.env, NODE_OPTIONS: '', NODE: process.execPath, PROGRAM: program },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
}

describe('a sink of lines', () => {
  // A shell's pipe, as containers have it: Node's own are sockets.
  test('lets the process end, though whoever reads has stopped', async () => {
    const child = writer('{ "$NODE" --input-type=module -e "$PROGRAM"; echo "ended $?" >&2; } | sleep 20');
    let stderr = '';
    const told = new Promise<void>((resolve) =>
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString();
        if (stderr.includes('ended')) resolve();
      }),
    );
    await Promise.race([told, once(child, 'exit')]);
    expect(stderr.trim().split('\n')).toEqual(['closed', 'ended 0']);
    process.kill(-child.pid!);
  });

  test('writes everything, each line whole, to a reader that reads', async () => {
    const child = writer('"$NODE" --input-type=module -e "$PROGRAM" | cat');
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(child, 'close');
    expect(text.split('\n').map(({ length }) => length)).toEqual([
      ...Array.from({ length: 200 }, () => 10_000),
      0,
    ]);
  });
});
