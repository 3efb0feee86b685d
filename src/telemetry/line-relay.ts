import type { Readable } from 'node:stream';

export interface LineRelayOptions {
  /** Takes bytes that are whole lines; resolves when it can take more. Never rejects. */
  readonly put: (lines: Buffer) => Promise<void> | void;
  /** Bytes of a line that has no end yet; a longer one is given up. */
  readonly longest?: number;
}

const LINE_FEED = 0x0a;

/**
 * Passes on what another process writes, whole lines at a time. Several processes that write to one pipe themselves
 * would write into each other's lines: only up to PIPE_BUF (4096 bytes) is a write to a pipe one piece, and a logged
 * decision may be longer. What is not taken yet is not read, so that whoever writes notices that nobody keeps up.
 *
 * @returns when the other process has written its last
 */
export async function relayLines(
  source: Readable,
  { put, longest = 1024 * 1024 }: LineRelayOptions,
): Promise<void> {
  let begun: Buffer[] = [];
  let length = 0;
  let skipping = false;
  try {
    for await (const read of source as AsyncIterable<Buffer>) {
      let chunk = read;
      if (skipping) {
        const next = chunk.indexOf(LINE_FEED) + 1;
        if (next === 0) continue;
        chunk = chunk.subarray(next);
        skipping = false;
      }
      const end = chunk.lastIndexOf(LINE_FEED) + 1;
      if (end > 0) {
        const lines = [...begun, chunk.subarray(0, end)];
        begun = [];
        length = 0;
        await put(lines.length === 1 ? lines[0]! : Buffer.concat(lines));
      }
      if (end === chunk.length) continue;
      begun.push(chunk.subarray(end));
      length += chunk.length - end;
      if (length <= longest) continue;
      begun = [];
      length = 0;
      skipping = true;
    }
  } catch {
    /* it broke off: as good as its end */
  }
  // The last words of a process that died half way through a line are no line.
}
