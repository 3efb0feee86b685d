import { ExactNumber } from '../../json/exact.js';
import { RegoObject, type RegoNumber, RegoSet, type RegoValue } from '../value.js';
import { quoted } from './go/quote.js';

/** A value as OPA prints it, which is as Rego writes it: strings are quoted as Go quotes them. */
export function regoText(value: RegoValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber)
    return numberText(value);
  if (value instanceof RegoSet)
    return value.size === 0 ? 'set()' : `{${Array.from(value, regoText).join(', ')}}`;
  if (value instanceof RegoObject)
    return `{${Array.from(value, ([key, item]) => `${regoText(key)}: ${regoText(item)}`).join(', ')}}`;
  return `[${value.map(regoText).join(', ')}]`;
}

/** A number as it was written. */
export function numberText(value: RegoNumber): string {
  return value instanceof ExactNumber ? value.text : String(value);
}
