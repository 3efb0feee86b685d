/** The order in which go-yaml writes keys: numbers within them by their size, letters after everything else. */
export function compareKeys(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  let digits = false;
  for (let i = 0; i < left.length && i < right.length; i++) {
    const [x, y] = [left[i]!, right[i]!];
    if (x === y) {
      digits = isDigit(x);
      continue;
    }
    const letters = [isLetter(x), isLetter(y)];
    if (letters[0] && letters[1]) return byCode(x, y);
    if (letters[0] || letters[1]) return digits === letters[0] ? -1 : 1;
    const order = compareNumbers(left, right, i);
    return order !== 0 ? order : byCode(x, y);
  }
  return left.length - right.length;
}

function compareNumbers(left: readonly string[], right: readonly string[], at: number): number {
  const lead = (left[at] === '0' || right[at] === '0') && digitBefore(left, at) ? '1' : '';
  const [x, y] = [run(left, at), run(right, at)];
  const order = BigInt(`0${lead}${x}`) - BigInt(`0${lead}${y}`);
  if (order !== 0n) return order < 0n ? -1 : 1;
  return x.length - y.length;
}

/** Whether the number that goes on here began with more than zeros. */
function digitBefore(text: readonly string[], at: number): boolean {
  for (let i = at - 1; i >= 0 && isDigit(text[i]!); i--) if (text[i] !== '0') return true;
  return false;
}

function run(text: readonly string[], at: number): string {
  let end = at;
  while (end < text.length && isDigit(text[end]!)) end += 1;
  return text.slice(at, end).join('');
}

function byCode(a: string, b: string): number {
  return a.codePointAt(0)! - b.codePointAt(0)!;
}

function isDigit(character: string): boolean {
  return /^[0-9]$/.test(character);
}

function isLetter(character: string): boolean {
  return /^\p{L}$/u.test(character);
}
