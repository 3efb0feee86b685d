import { PAGE } from './wasm/abi.js';
import { PolicyInstance } from './wasm/instance.js';
import { compilePolicy } from './wasm/module.js';

/**
 * The built-ins that a policy module leaves to its host, whoever that is.
 *
 * @throws TypeError for what is no policy module
 */
export async function requiredBuiltins(wasm: Uint8Array): Promise<readonly string[]> {
  const module = await compilePolicy(wasm);
  const initial = 32 + Math.ceil(wasm.length / PAGE);
  return [...new PolicyInstance(module, { initial, maximum: 65_536 }, {}).builtins.keys()];
}
