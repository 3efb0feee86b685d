import { ExactNumber, parseExact } from '../../json/exact.js';
import { parseValue } from '../text.js';
import { RegoObject, type RegoValue } from '../value.js';
import { type Builtins, BuiltinError, operand } from './builtin.js';
import { marshal } from './json-marshal.js';
import { LimitError } from './limit.js';
import { checkExponent } from './number-text.js';

/** Arrays and objects within each other, in Go's encoding/json. Our own stack may end before. */
const DEEPEST = 10_000;

/** json.is_valid, json.marshal, json.unmarshal */
export const JSON_TEXT: Builtins = {
  'json.is_valid'(_, text) {
    if (typeof text !== 'string') return false;
    try {
      checkSyntax(text);
      return true;
    } catch (error) {
      if (error instanceof BuiltinError) return false;
      throw error;
    }
  },

  'json.marshal': (_, value) => marshal(value!),

  'json.unmarshal'(_, value) {
    const text = operand(value!, 1, 'string');
    checkSyntax(text);
    // Of JSON this reads what is meant, and keeps `1.0` and `1e3` as they are written.
    const read = parseValue(text);
    if (/[0-9][eE]/.test(text)) checkNumbers(read);
    return read;
  },
};

/**
 * @throws BuiltinError for what is no JSON
 * @throws LimitError for what is nested too deeply to tell
 */
function checkSyntax(text: string): void {
  try {
    parseExact(text, { maxDepth: DEEPEST, repeated: 'last' });
  } catch (error) {
    if (error instanceof SyntaxError) throw new BuiltinError(`invalid JSON: ${error.message}`);
    if (error instanceof RangeError) throw new LimitError('JSON is nested too deeply');
    throw error;
  }
}

/** @throws BuiltinError for a number whose exponent OPA does not take */
function checkNumbers(value: RegoValue): void {
  if (value instanceof ExactNumber) checkExponent(value);
  else if (value instanceof RegoObject) for (const [, item] of value) checkNumbers(item);
  else if (Array.isArray(value)) for (const item of value as readonly RegoValue[]) checkNumbers(item);
}
