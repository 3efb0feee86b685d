import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

/**
 * What one load run of one request cost, by h2load.
 *
 * @param rate requests a second, all connections together; as many as go without it
 */
export function load(server, { requests, connections = 2, streams = 16, body, path, rate = undefined }) {
  return measured(server, requests, async () => {
    const output = await run('h2load', [
      `--requests=${requests}`,
      `--clients=${connections}`,
      `--max-concurrent-streams=${streams}`,
      '--threads=1',
      ...(rate === undefined ? [] : [`--rps=${Math.max(1, Math.round(rate / connections))}`]),
      `--data=${body}`,
      '--header=content-type: application/grpc',
      '--header=te: trailers',
      `http://${server.address}${path}`,
    ]);
    const done = Number(/(\d+) succeeded/.exec(output)?.[1]);
    if (done !== requests) throw new Error(`only ${done} of ${requests} requests succeeded:\n${output}`);
    return Number(/([\d.]+) req\/s/.exec(output)?.[1]);
  });
}

/** CPU is the server's, user and system, all its processes, in microseconds a request. `work` gives the requests a second. */
export async function measured(server, requests, work) {
  const processes = await family(server.pid);
  const before = await sum(processes, cpu);
  const throughput = await work();
  const after = await sum(processes, cpu);
  return { cpu: (after - before) / requests, throughput, rss: await sum(processes, rss) };
}

/** A server and the workers that it started. */
async function family(pid) {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return [pid, ...children.trim().split(' ').filter(Boolean).map(Number)];
}

async function sum(processes, of) {
  return (await Promise.all(processes.map(of))).reduce((total, one) => total + one, 0);
}

/**
 * Microseconds that a process was on a processor, user and system: by the kernel's accounts of each thread, to the
 * nanosecond, and of threads that ended meanwhile nothing.
 */
async function cpu(pid) {
  const threads = await readdir(`/proc/${pid}/task`);
  const times = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0')),
  );
  return times.reduce((total, text) => total + Number(text.split(' ')[0]) / 1000, 0);
}

/** Megabytes that a process has in memory. */
export async function rss(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** @throws Error where it is not installed */
export async function needH2load() {
  await run('h2load', ['--version']);
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (text) => (output += text));
    child.stderr.on('data', (text) => (output += text));
    child.once('error', (error) =>
      reject(
        error.code === 'ENOENT' ? new Error('h2load is missing: apt-get install nghttp2-client') : error,
      ),
    );
    child.once('exit', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${command} failed:\n${output}`)),
    );
  });
}
