import { NAMES } from './contenders.mjs';
import { ratios } from './spread.mjs';

/**
 * What was promised, each against what one run measured. `measured` gives one number or a spread, of which the median counts;
 * undefined where the run did not measure it.
 */
export const TARGETS = [
  ratio('warm token', NAMES.WARM, 'grpc-js echo', NAMES.ECHO, 1.35),
  ratio('warm token', NAMES.WARM, 'opa-envoy-plugin', NAMES.PEER, 1 / 3),
  ratio('every token new', NAMES.TOKENS, 'opa-envoy-plugin', NAMES.PEER_TOKENS, 2 / 3),
  ratio('20 MB of data', NAMES.LARGE_DATA, '100 kB', NAMES.SMALL_DATA, 1.1),
  ratio('500 rules, warm', NAMES.RULES, 'the small policy', NAMES.WARM, 1.5),
  ratio('500 rules, every path new', NAMES.RULES_PATHS, 'the small policy', NAMES.PATHS, 1.5),
  {
    what: '20 MB of data decide so soon after they arrived, s',
    most: 5,
    measured: ({ data }) => data && data.live.max / 1000,
  },
  {
    what: 'longest that the event loop works without a pause while 20 MB change at half load, ms',
    most: 20,
    measured: ({ data }) => data?.changing.longestWork,
  },
  {
    what: 'p99 at half of what opa-envoy-plugin can at most, over that of opa-envoy-plugin',
    most: 1,
    measured: ({ contenders }) => latencyRatio(contenders, 'latencyAtPeers'),
  },
  {
    what: 'p99 at half of its maximum, over that of opa-envoy-plugin at half of its own',
    most: 1,
    measured: ({ contenders }) => latencyRatio(contenders, 'latency'),
  },
  {
    what: 'RSS under load, the most in a million decisions, MB',
    most: 110,
    measured: ({ memory }) => memory?.max,
  },
  {
    what: 'RSS in the last third of these decisions, over the third before',
    most: 1.05,
    measured: ({ memory }) => memory?.growth,
  },
  { what: 'ready on a compiled bundle, s', most: 1, measured: ({ ready }) => ready && inSeconds(ready) },
  { what: 'a warm decision without gRPC, µs', most: 40, measured: ({ alone }) => alone },
];

function ratio(what, name, other, otherName, most) {
  return {
    what: `CPU, ${what} over ${other}`,
    most,
    measured({ contenders }) {
      const [one, two] = [contenders[name], contenders[otherName]];
      return one && two && ratios(one.cpu, two.cpu);
    },
  };
}

/** @param key the load at which the warm token was measured */
function latencyRatio(contenders, key) {
  const [one, two] = [contenders[NAMES.WARM]?.[key], contenders[NAMES.PEER]?.latency];
  return (
    one &&
    two &&
    ratios(
      one.map(({ p99 }) => p99),
      two.map(({ p99 }) => p99),
    )
  );
}

const inSeconds = ({ min, median, max }) => ({ min: min / 1000, median: median / 1000, max: max / 1000 });

/** @returns each target with what each run measured, and whether all of them held it; undefined where none measured it */
export function judge(runs) {
  return TARGETS.map(({ what, most, measured }) => {
    const figures = runs.map(measured).filter((figure) => figure !== undefined);
    const held = figures.map((figure) => (figure.median ?? figure) <= most);
    return { what, most, figures, held: figures.length === 0 ? undefined : held.every(Boolean) };
  });
}
