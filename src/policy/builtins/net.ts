import { type RegoObject, RegoSet, type RegoValue, typeOf } from '../value.js';
import { type BuiltinContext, BuiltinError, type Builtins, operand } from './builtin.js';
import { mergeNetworks } from './cidr-merge.js';
import {
  alone,
  contains,
  formatAddress,
  type Network,
  networkOf,
  parseAddress,
  parseNetwork,
  sizeOf,
} from './ip.js';
import { limit } from './limit.js';

/** Addresses that net.cidr_expand gives: an IPv4 /16, an IPv6 /112. OPA has no bound but its time. */
const MOST_ADDRESSES = 65_536;

/** Pairs that net.cidr_contains_matches compares. */
const MOST_PAIRS = 1_000_000;

/** Those of them that match. */
const MOST_MATCHES = 65_536;

/** net.cidr_* */
export const NET: Builtins = {
  'net.cidr_contains': (_: BuiltinContext, ...[outer, inner]: RegoValue[]) =>
    contains(networkOf(text(outer!)), addressOrNetwork(text(inner!))),
  'net.cidr_contains_matches': containsMatches,
  'net.cidr_expand': expand,
  'net.cidr_intersects': intersects,
  'net.cidr_is_valid': (_: BuiltinContext, ...[cidr]: RegoValue[]) =>
    typeof cidr === 'string' && parseNetwork(cidr) !== undefined,
  'net.cidr_merge': (_: BuiltinContext, ...[networks]: RegoValue[]) => mergeNetworks(networks!),
};

/** Of two networks that share an address one is in the other. */
function intersects(_: BuiltinContext, ...operands: RegoValue[]): RegoValue {
  const [a, b] = [operands[0]!, operands[1]!].map((cidr) => networkOf(text(cidr))) as [Network, Network];
  return contains(a, b) || contains(b, a);
}

function expand(_: BuiltinContext, ...operands: RegoValue[]): RegoValue {
  const network = networkOf(operand(operands[0]!, 1, 'string'));
  limit('addresses in a network to expand', Number(sizeOf(network)), MOST_ADDRESSES);
  return new RegoSet(
    Array.from({ length: Number(sizeOf(network)) }, (_, i) =>
      formatAddress({ bits: network.bits, value: network.value + BigInt(i) }),
    ),
  );
}

function containsMatches(_: BuiltinContext, ...operands: RegoValue[]): RegoValue {
  // As in OPA nothing is looked at that has nothing to be compared with.
  const outer = entries(operands[0]!, 1);
  if (outer.length === 0) return new RegoSet([]);
  const inner = entries(operands[1]!, 2);
  if (inner.length === 0) return new RegoSet([]);
  limit('pairs for net.cidr_contains_matches', outer.length * inner.length, MOST_PAIRS);
  const networks = outer.map(({ index, cidr }) => ({ index, network: networkOf(text(cidr)) }));
  const candidates = inner.map(({ index, cidr }) => ({ index, network: addressOrNetwork(text(cidr)) }));
  const matches: RegoValue[] = [];
  for (const { index, network } of networks) {
    const found = candidates.filter((candidate) => contains(network, candidate.network));
    matches.push(...found.map((candidate) => [index, candidate.index]));
    limit('matches of net.cidr_contains_matches', matches.length, MOST_MATCHES);
  }
  return new RegoSet(matches);
}

interface Entry {
  /** What stands for the entry in the result: its place in an array, its key in an object, or itself. */
  readonly index: RegoValue;
  readonly cidr: RegoValue;
}

function entries(value: RegoValue, position: number): Entry[] {
  switch (typeOf(value)) {
    case 'string':
      return [{ index: value, cidr: value }];
    case 'array':
      return (value as readonly RegoValue[]).map((item, index) => ({ index, cidr: cidrIn(item, position) }));
    case 'set':
      return Array.from(value as RegoSet, (item) => ({ index: item, cidr: cidrIn(item, position) }));
    case 'object':
      return Array.from(value as RegoObject, ([index, item]) => ({ index, cidr: cidrIn(item, position) }));
    default:
      return [];
  }
}

/** A CIDR, or an array that begins with one. */
function cidrIn(item: RegoValue, position: number): RegoValue {
  const cidr = Array.isArray(item) ? (item as readonly RegoValue[])[0] : item;
  if (cidr === undefined || (cidr === item && typeof item !== 'string'))
    throw new BuiltinError(`operand ${position}: element must be string or non-empty array`);
  return cidr;
}

function text(cidr: RegoValue): string {
  return operand(cidr, 1, 'string');
}

function addressOrNetwork(cidr: string): Network {
  const address = parseAddress(cidr);
  return address === undefined ? networkOf(cidr) : alone(address);
}
