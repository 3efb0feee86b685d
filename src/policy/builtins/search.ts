/**
 * Where one sequence occurs in another, overlaps too (Knuth, Morris and Pratt): linear, however much the two
 * repeat themselves.
 *
 * @param wanted not empty
 * @param most how many are looked for
 */
export function occurrences<T>(
  among: readonly T[],
  wanted: readonly T[],
  equal: (a: T, b: T) => boolean,
  most = Infinity,
): number[] {
  const borders = bordersOf(wanted, equal);
  const found: number[] = [];
  let matched = 0;
  for (let at = 0; at < among.length && found.length < most; at++) {
    while (matched > 0 && (matched === wanted.length || !equal(among[at]!, wanted[matched]!)))
      matched = borders[matched - 1]!;
    if (equal(among[at]!, wanted[matched]!)) matched += 1;
    if (matched === wanted.length) found.push(at - matched + 1);
  }
  return found;
}

/** Of each beginning of a sequence: how much of it is its own end as well. */
function bordersOf<T>(sequence: readonly T[], equal: (a: T, b: T) => boolean): number[] {
  const borders = [0];
  let border = 0;
  for (let at = 1; at < sequence.length; at++) {
    while (border > 0 && !equal(sequence[at]!, sequence[border]!)) border = borders[border - 1]!;
    if (equal(sequence[at]!, sequence[border]!)) border += 1;
    borders.push(border);
  }
  return borders;
}
