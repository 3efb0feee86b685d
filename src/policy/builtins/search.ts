/**
 * Where one sequence occurs in another, overlaps too (Knuth, Morris and Pratt): linear, however much the two
 * repeat themselves.
 *
 * @param wanted not empty
 * @param most how many are looked for
 */
export function occurrences<T>(
  among: ArrayLike<T>,
  wanted: ArrayLike<T>,
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
function bordersOf<T>(sequence: ArrayLike<T>, equal: (a: T, b: T) => boolean): number[] {
  const borders = [0];
  let border = 0;
  for (let at = 1; at < sequence.length; at++) {
    while (border > 0 && !equal(sequence[at]!, sequence[border]!)) border = borders[border - 1]!;
    if (equal(sequence[at]!, sequence[border]!)) border += 1;
    borders.push(border);
  }
  return borders;
}

/** Steps that the engine's own search, which is the fastest for most texts, may come to at the worst. */
const FEW_STEPS = 1_000_000;

/**
 * Where a text stands in another, from left to right, no two overlapping, in UTF-16 code units. The engine's own
 * search takes quadratic time for texts that repeat themselves.
 *
 * @param wanted not empty
 * @param most how many are looked for
 */
export function positions(among: string, wanted: string, most = Infinity): number[] {
  const found: number[] = [];
  let next = 0;
  if (among.length * wanted.length > FEW_STEPS) {
    const all = occurrences(among, wanted, (a, b) => a === b, most === 1 ? 1 : Infinity);
    for (const at of all) {
      if (at < next || found.length >= most) continue;
      found.push(at);
      next = at + wanted.length;
    }
    return found;
  }
  for (let at = among.indexOf(wanted); at >= 0 && found.length < most; at = among.indexOf(wanted, next)) {
    found.push(at);
    next = at + wanted.length;
  }
  return found;
}
