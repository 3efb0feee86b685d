import { isFault, parseListenAddress } from './listen-address.js';
import type { Fault } from './problem.js';

/** What is wrong with the address of a Workload API (SPIFFE Workload Endpoint, section 4); undefined where nothing is. */
export function socketFault(text: string): Fault | undefined {
  const mend = 'write unix:// and an absolute path: unix:///run/spire/agent.sock';
  if (text.startsWith('tcp:')) return { wrong: 'is a TCP address, behind which anybody may listen', mend };
  const address = parseListenAddress(text);
  if (!isFault(address) && 'socketPath' in address) return undefined;
  return isFault(address) && text.startsWith('unix:') ? address : { wrong: 'is no socket', mend };
}
