/** Minimum, median and maximum. */
export function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return { min: sorted[0], median: sorted[Math.floor(sorted.length / 2)], max: sorted.at(-1) };
}

/** The same of values that were measured one beside the other, each as a ratio. */
export const ratios = (values, others) => spread(values.map((value, n) => value / others[n]));

/** The value below which this share of them lies. */
export function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
