import { NAMES } from './contenders.mjs';
import { ratios, spread } from './spread.mjs';

const SAYS = { true: 'held', false: '**missed**', undefined: 'not measured' };

/** The report as a page. */
export function markdown({ machine, settings, runs, targets }) {
  return `# What a decision costs

Written by \`npm run bench\`: ${runs.length} whole ${runs.length === 1 ? 'run' : 'runs'}, one after the other, each of ${settings.rounds} rounds. Every server is a process of its
own on the default policy, unless its line says otherwise, driven by h2load over loopback with 2 connections of 16 streams and
one CheckRequest, ${settings.requests} requests a round, the contenders interleaved; where every request is another one, by a client in Node,
a quarter as many. CPU is the server's own, user and system, all its processes. A ratio is taken round by round. Latency is
that at half of each one's own maximum, for ${settings.seconds} s a round, by a client in Node that sends steadily. Every triple is minimum / median / maximum.

${machine.cores} × ${machine.cpu}, Node ${machine.node}, ${machine.h2load}${machine.peer ? `, opa-envoy-plugin ${machine.peer}` : ''}

## Targets

A target is held when the median holds it in every run.

| target | at most | ${runs.map((_, n) => `run ${n + 1}`).join(' | ')} | |
|---|---|${'---|'.repeat(runs.length)}---|
${targets.map(({ what, most, figures, held }) => row([what, number(most), ...runs.map((_, n) => told(figures[n])), SAYS[held]])).join('\n')}

${runs.map((run, n) => (runs.length === 1 ? '' : `## Run ${n + 1}\n\n`) + oneRun(run)).join('\n')}`;
}

function oneRun({ contenders, memory, ready, data, envoy, alone }) {
  const echo = contenders[NAMES.ECHO];
  const lines = Object.entries(contenders).map(([name, { bytes, cpu, throughput, rss, latency }]) =>
    row([
      name,
      bytes,
      three(spread(cpu)),
      echo ? three(ratios(cpu, echo.cpu), 2) : '',
      three(spread(throughput)),
      ...['p50', 'p99', 'p999'].map((key) =>
        latency ? three(spread(latency.map((all) => all[key])), 2) : '',
      ),
      three(spread(rss)),
    ]),
  );
  const atPeers = contenders[NAMES.WARM]?.latencyAtPeers;
  return `| server | request, bytes | CPU a request, µs | over grpc-js echo | requests/s | p50, ms | p99, ms | p99.9, ms | RSS, MB |
|---|---|---|---|---|---|---|---|---|
${lines.join('\n')}

${[
  atPeers &&
    `- A warm token at half of what opa-envoy-plugin can at most: ${['p50', 'p99', 'p999'].map((key) => `${key.replace('999', '99.9')} ${three(spread(atPeers.map((all) => all[key])), 2)} ms`).join(', ')}.`,
  alone && `- A warm decision without gRPC, all its stages: ${three(alone, 1)} µs.`,
  ready && `- Ready on a compiled bundle after ${three(ready)} ms.`,
  memory &&
    `- RSS over ${memory.decisions} decisions: ${memory.idle.toFixed(0)} MB before the first, then ${three(memory)} MB; the last third ${memory.growth.toFixed(2)} times the one before.`,
  data &&
    `- 20 MB of data decide ${three(data.live)} ms after they arrived, at ${data.rate} requests/s. The event loop worked without a pause for at most ${data.changing.longestWork.toFixed(1)} ms meanwhile (longest collection of garbage ${data.changing.longestCollection.toFixed(1)}), and for ${data.quiet.longestWork.toFixed(1)} ms when nothing changed (${data.quiet.longestCollection.toFixed(1)}).`,
  envoy && envoyLine(envoy),
]
  .filter(Boolean)
  .join('\n')}
`;
}

function envoyLine({ skipped, rate, p50, p99 }) {
  if (skipped) return `- Envoy with ext_authz and without: not measured, ${skipped}.`;
  const line = (name, { without, with: authorized, added }) =>
    `${name} ${three(without, 2)} ms without, ${three(authorized, 2)} with, ${three(added, 2)} added`;
  return `- A real Envoy with mTLS at ${rate} requests/s: ${line('p50', p50)}; ${line('p99', p99)}.`;
}

const row = (cells) => `| ${cells.join(' | ')} |`;

function three({ min, median, max }, digits = 0) {
  return [min, median, max].map((value) => value.toFixed(digits)).join(' / ');
}

function told(figure) {
  if (figure === undefined) return '–';
  return typeof figure === 'number' ? figure.toFixed(2) : three(figure, 2);
}

const number = (value) => String(Number(value.toFixed(2)));
