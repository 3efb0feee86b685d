import { equalValues, RegoObject, type RegoValue } from '../value.js';
import { type Builtins, BuiltinError, operand } from './builtin.js';
import { Draft } from './patch/draft.js';
import { parsePath } from './patch/path.js';
import { Sizes } from './patch/sizes.js';

/** json.patch (RFC 6902), on any value: arrays, objects, and sets, whose elements are their own keys */
export const JSON_PATCH: Builtins = {
  'json.patch'(_, target, operations) {
    const draft = new Draft(target);
    const sizes = new Sizes(target);
    for (const operation of operand(operations, 2, 'array')) apply(draft, operation, sizes);
    return draft.value();
  },
};

function apply(draft: Draft, operation: RegoValue, sizes: Sizes): void {
  if (!(operation instanceof RegoObject))
    throw new BuiltinError(
      'must be an array of JSON-Patch objects, but at least one element is not an object',
    );
  const path = parsePath(attribute(operation, 'path'));
  const name = attribute(operation, 'op');
  if (typeof name !== 'string') throw new BuiltinError("attribute 'op' must be a string");
  switch (name) {
    case 'add':
      return draft.insert(path, attribute(operation, 'value'));
    case 'remove':
      return draft.remove(path);
    case 'replace':
      draft.remove(path);
      return draft.insert(path, attribute(operation, 'value'));
    case 'move': {
      const from = parsePath(attribute(operation, 'from'));
      const moved = draft.at(from);
      draft.remove(from);
      return draft.insert(path, moved);
    }
    case 'copy': {
      const copied = draft.at(parsePath(attribute(operation, 'from')));
      sizes.add(copied);
      return draft.insert(path, copied);
    }
    case 'test':
      if (equalValues(draft.at(path), attribute(operation, 'value'))) return;
      throw new BuiltinError('value from EditTree != patch value.');
    default:
      throw new BuiltinError(`unrecognized op: '${name}'`);
  }
}

function attribute(operation: RegoObject, name: string): RegoValue {
  const value = operation.get(name);
  if (value === undefined) throw new BuiltinError(`missing required attribute '${name}'`);
  return value;
}
