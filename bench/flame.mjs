// node bench/flame.mjs [--requests N] [--out FILE]   (after npm run build)
// Where a server's time goes under load, as a picture: a warm token, let through by the default policy. Needs h2load.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { load } from './h2load.mjs';
import { path } from './request.mjs';
import { ROOT, startFleet } from './servers.mjs';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '200000' },
    out: { type: 'string', default: 'docs/flame.svg' },
  },
});

const WIDTH = 1200;
const ROW = 18;
/** A part of all that is thinner is left out: nobody could read its name. */
const LEAST = 0.002;
/** Pixels that a letter takes. */
const LETTER = 6.4;

/** What draws the picture tells apart, by where a function is; the first that fits. */
const KINDS = [
  ['garbage collection', '#c9c2d6', ({ name }) => name === '(garbage collector)'],
  ['the kernel, V8 and C++', '#d8d4cc', ({ name, file }) => file === '' && name.startsWith('(')],
  ['Node', '#f2cf9a', ({ file }) => file === '' || file.startsWith('node:')],
  ['libraries', '#b9d8b0', ({ file }) => file.includes('node_modules')],
  ['Countersign', '#9cc3e6', () => true],
];

const folder = await mkdtemp(join(tmpdir(), 'countersign-flame-'));
const fleet = await startFleet();
try {
  const node = ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=200'];
  const server = await fleet.countersign('flame', { node });
  const body = await fleet.warm();
  const requests = Number(values.requests);
  await load(server, { requests: Math.ceil(requests / 4), body, path }); // V8 has compiled what it will by then
  const began = Number(process.hrtime.bigint() / 1000n);
  await load(server, { requests, body, path });
  const ended = Number(process.hrtime.bigint() / 1000n);
  await server.stop();
  const [file] = (await readdir(folder)).filter((name) => name.endsWith('.cpuprofile'));
  const root = treeOf(JSON.parse(await readFile(join(folder, file), 'utf8')), began, ended);
  await writeFile(values.out, picture(root));
  console.log(
    `${values.out}: ${(root.time / 1e6).toFixed(1)} s on the processor, ${values.requests} requests`,
  );
  for (const [kind, , , share] of shares(root))
    console.log(`  ${(share * 100).toFixed(1).padStart(5)} %  ${kind}`);
} finally {
  await fleet.stop();
  await rm(folder, { recursive: true, force: true });
}

/**
 * The profile between two moments as one tree of what called what, without the time in which there was nothing to do. All in
 * microseconds of the clock that all processes share.
 */
function treeOf({ nodes, samples, timeDeltas, startTime }, began, ended) {
  const times = new Map();
  let now = startTime;
  samples.forEach((id, n) => {
    now += timeDeltas[n];
    if (now >= began && now < ended) times.set(id, (times.get(id) ?? 0) + timeDeltas[n]);
  });
  const byId = new Map(nodes.map((one) => [one.id, one]));
  const build = (parts) => {
    const children = new Map();
    for (const id of parts.flatMap(({ children: ids = [] }) => ids)) {
      const { functionName, url } = byId.get(id).callFrame;
      const key = `${functionName} ${url}`;
      children.set(key, [...(children.get(key) ?? []), byId.get(id)]);
    }
    const below = [...children.values()].map(build).filter(({ name }) => name !== '(idle)');
    const own = parts.reduce((sum, { id }) => sum + (times.get(id) ?? 0), 0);
    const { functionName, url } = parts[0].callFrame;
    return {
      name: functionName || '(anonymous)',
      file: url.startsWith('file:') ? relative(ROOT, fileURLToPath(url)) : url,
      own,
      time: below.reduce((sum, { time }) => sum + time, own),
      children: below.sort((a, b) => b.time - a.time),
    };
  };
  return build([nodes.find(({ callFrame }) => callFrame.functionName === '(root)')]);
}

function kindOf(frame) {
  return KINDS.findIndex(([, , fits]) => fits(frame));
}

/** Of each kind, its share of the time in functions themselves. */
function shares(root) {
  const sums = KINDS.map(() => 0);
  (function add(frame) {
    sums[kindOf(frame)] += frame.own;
    frame.children.forEach(add);
  })(root);
  return KINDS.map((kind, n) => [...kind, sums[n] / root.time]);
}

function picture(root) {
  const boxes = [];
  let depth = 0;
  (function place(frame, x, level) {
    if (frame.time < LEAST * root.time) return;
    depth = Math.max(depth, level);
    boxes.push(box(frame, x, level));
    let at = x;
    for (const child of frame.children) {
      place(child, at, level + 1);
      at += child.time;
    }
  })(root, 0, 0);
  const legend = shares(root).map(
    ([kind, colour, , share], n) =>
      `<rect x="${4 + n * 236}" y="4" width="12" height="12" fill="${colour}"/><text x="${20 + n * 236}" y="14">${kind}: ${(share * 100).toFixed(0)} %</text>`,
  );
  const top = 24;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top + (depth + 1) * ROW}" font-family="monospace" font-size="10.5">
<rect width="100%" height="100%" fill="#fff"/>
${legend.join('\n')}
<g transform="translate(0 ${top})">
${boxes.join('\n')}
</g>
</svg>
`;

  function box(frame, from, level) {
    const [x, width] = [from, frame.time].map((time) => (time / root.time) * WIDTH);
    const share = ((frame.time / root.time) * 100).toFixed(1);
    const name = escape(frame.name);
    const room = Math.floor((width - 4) / LETTER);
    const text =
      frame.name.length <= room ? name : room > 3 ? `${escape(frame.name.slice(0, room - 1))}…` : '';
    const shown = text && `<text x="${(x + 2).toFixed(1)}" y="${level * ROW + 12}">${text}</text>`;
    return `<g><title>${name} ${escape(frame.file)} ${share} %</title><rect x="${x.toFixed(1)}" y="${level * ROW}" width="${Math.max(0.2, width - 0.5).toFixed(1)}" height="${ROW - 1}" fill="${KINDS[kindOf(frame)][1]}"/>${shown}</g>`;
  }
}

function escape(text) {
  return text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
