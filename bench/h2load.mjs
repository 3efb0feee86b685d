import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/**
 * What one load run of one request cost, by h2load.
 *
 * @param rate requests a second, all connections together; as many as go without it
 * @param log a file for the times of each request, for {@link latencies}
 */
export function load(
  server,
  { requests, connections = 2, streams = 16, body, path, rate = undefined, log = undefined },
) {
  return measured(server, requests, async () => {
    const output = await run('h2load', [
      `--requests=${requests}`,
      `--clients=${connections}`,
      `--max-concurrent-streams=${streams}`,
      '--threads=1',
      ...(rate === undefined ? [] : [`--rps=${Math.max(1, Math.round(rate / connections))}`]),
      ...(log === undefined ? [] : [`--log-file=${log}`]),
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

/** Milliseconds that each request took, from a log that h2load wrote. */
export async function latencies(log) {
  const lines = (await readFile(log, 'utf8')).trimEnd().split('\n');
  return lines.map((line) => Number(line.split('\t')[2]) / 1000);
}

const TICK = 10_000; // microseconds: USER_HZ is 100 on every Linux that Node runs on

async function cpu(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

/** Megabytes that a process has in memory. */
export async function rss(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
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
