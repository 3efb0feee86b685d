/** WASI's errno for a file descriptor that is not open for this. */
const BADF = 8;

/**
 * The standard streams of a WASI program, in memory. The real ones may be pipes that do not block, and
 * node:wasi hands the program each EAGAIN of theirs.
 *
 * @param {Uint8Array} stdin all of standard input
 */
export function memoryStreams(stdin) {
  const written = { 1: [], 2: [] };
  let position = 0;

  return {
    stdout: () => Buffer.concat(written[1]),
    stderr: () => Buffer.concat(written[2]),

    /**
     * `fd_read` and `fd_write` of wasi_snapshot_preview1.
     *
     * @param {() => WebAssembly.Memory} memory is asked anew at each call: its buffer changes when it grows
     */
    imports: (memory) => ({
      fd_read(fd, list, count, transferred) {
        if (fd !== 0) return BADF;
        const start = position;
        for (const buffer of buffers(memory(), list, count)) {
          const chunk = stdin.subarray(position, position + buffer.length);
          buffer.set(chunk);
          position += chunk.length;
        }
        return succeed(memory(), transferred, position - start);
      },

      fd_write(fd, list, count, transferred) {
        if (!(fd in written)) return BADF;
        const chunk = Buffer.concat([...buffers(memory(), list, count)]);
        written[fd].push(chunk);
        return succeed(memory(), transferred, chunk.length);
      },
    }),
  };
}

/** The buffers of a scatter/gather list: `count` pairs of address and length. */
function* buffers({ buffer }, list, count) {
  const view = new DataView(buffer);
  for (let at = list; at < list + 8 * count; at += 8) {
    yield new Uint8Array(buffer, view.getUint32(at, true), view.getUint32(at + 4, true));
  }
}

function succeed({ buffer }, transferred, length) {
  new DataView(buffer).setUint32(transferred, length, true);
  return 0;
}
