import { type Builtins, BuiltinError, operand } from './builtin.js';
import { readYaml } from './yaml/read.js';
import { writeYaml } from './yaml/write.js';

/** yaml.* */
export const YAML: Builtins = {
  'yaml.unmarshal': (_, text) => readYaml(operand(text, 1, 'string')),

  'yaml.marshal': (_, value) => writeYaml(value),

  'yaml.is_valid'(_, text) {
    if (typeof text !== 'string') return false;
    try {
      readYaml(text);
      return true;
    } catch (error) {
      if (error instanceof BuiltinError) return false;
      throw error;
    }
  },
};
