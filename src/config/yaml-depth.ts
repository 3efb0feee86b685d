import { type CST, Parser } from 'yaml';

/** Twice what the deepest key of the configuration needs, and far from what a stack can hold. */
const MAX_DEPTH = 16;

/** Whether lists and mappings lie in each other more than so deep. Takes linear time and no recursion. */
export function nestsTooDeeply(text: string, most = MAX_DEPTH): boolean {
  const rest: { token: CST.Token; depth: number }[] = [];
  for (const token of new Parser().parse(text)) rest.push({ token, depth: 0 });
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const { token, depth } = next;
    if (depth > most) return true;
    if (token.type === 'document' && token.value) rest.push({ token: token.value, depth });
    if (!('items' in token)) continue;
    for (const { key, value } of token.items) {
      if (key) rest.push({ token: key, depth: depth + 1 });
      if (value) rest.push({ token: value, depth: depth + 1 });
    }
  }
  return false;
}
