/** The report as a page. */
export function markdown({ machine, rounds, requests, results }) {
  const three = ({ min, median, max }, digits = 0) =>
    [min, median, max].map((value) => value.toFixed(digits)).join(' / ');
  return `# What a decision costs

Written by \`npm run bench\`. Each server is a process of its own on the default policy, driven by h2load over loopback
with 2 connections of 16 streams and one CheckRequest, ${rounds} rounds of ${requests} requests, interleaved; where every request is
another one, by a client in Node, an eighth as many. CPU is the server process's own, user and system. The ratio is to the first line, round by round. Every triple is
minimum / median / maximum.

${machine.cores} × ${machine.cpu}, Node ${machine.node}, ${machine.h2load}

| server | request, bytes | CPU a request, µs | ratio | requests/s | RSS, MB |
|---|---|---|---|---|---|
${results
  .map(
    ({ name, bytes, cpu, ratio, throughput, rss }) =>
      `| ${name} | ${bytes} | ${three(cpu)} | ${three(ratio, 2)} | ${three(throughput)} | ${rss.toFixed(0)} |`,
  )
  .join('\n')}
`;
}
