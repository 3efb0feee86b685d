import { RegoSet, type RegoValue } from '../value.js';
import { BuiltinError, operand } from './builtin.js';
import { formatNetwork, MAPPED, type Network, networkOf, parseAddress, sizeOf } from './ip.js';

/** Addresses from first to last as IPv6 numbers them, IPv4 being `::ffff:0:0/96`. */
interface Span {
  readonly first: bigint;
  readonly last: bigint;
  /** The network as it came in, unless it was merged. */
  readonly text: string | undefined;
}

/** One past the IPv4 addresses. */
const MAPPED_END = MAPPED + (1n << 32n);

/**
 * The smallest set of networks that covers the same addresses: neighbours become one, and what is inside another
 * is gone. A bare IPv4 address stands for the network of its class (`192.0.2.7` for a /24); one that was merged
 * with none keeps its last bits in the result, since OPA has it so.
 *
 * @param networks array or set of strings
 * @throws BuiltinError for anything else
 */
export function mergeNetworks(networks: RegoValue): RegoSet {
  const spans = Array.from(operand(networks, 1, 'array', 'set'), (network) => {
    if (typeof network !== 'string') throw new BuiltinError('element must be string');
    return spanOf(network);
  });
  spans.sort((a, b) => order(a.last, b.last) || order(a.first, b.first));
  const merged: Span[] = [];
  for (let span = spans.pop(); span !== undefined; span = spans.pop()) {
    const above = merged.at(-1);
    if (above !== undefined && touches(span, above))
      merged[merged.length - 1] = {
        first: span.first < above.first ? span.first : above.first,
        last: above.last,
        text: undefined,
      };
    else merged.push(span);
  }
  return new RegoSet(merged.flatMap((span) => span.text ?? cover(span)));
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

/** IPv4 and IPv6 may overlap, in `::/0`, but they are no neighbours. */
function touches(below: Span, above: Span): boolean {
  const alone = above.first === 0n || above.first === MAPPED || above.first === MAPPED_END;
  return (alone ? above.first : above.first - 1n) <= below.last;
}

function spanOf(text: string): Span {
  const address = parseAddress(text);
  if (address === undefined) return { ...range(networkOf(text)), text: formatNetwork(networkOf(text)) };
  if (address.bits !== 32) throw new BuiltinError('IPv6 invalid: needs prefix length');
  const prefix = classOf(address.value);
  const rest = BigInt(32 - prefix);
  const network = { ...address, value: (address.value >> rest) << rest, prefix };
  return { ...range(network), text: formatNetwork({ ...address, prefix }) };
}

/** Classes A, B and C; what is above them counts as C, as in Go. */
function classOf(address: bigint): number {
  if (address < 0x80000000n) return 8;
  return address < 0xc0000000n ? 16 : 24;
}

function range(network: Network): { first: bigint; last: bigint } {
  const first = network.bits === 32 ? MAPPED + network.value : network.value;
  return { first, last: first + sizeOf(network) - 1n };
}

/** The fewest networks that make up a span: each as large as its first address and what is left allow. */
function cover({ first, last }: Span): string[] {
  const bits = first >= MAPPED && last < MAPPED_END ? 32 : 128;
  const base = bits === 32 ? MAPPED : 0n;
  const networks: string[] = [];
  for (let at = first - base; at <= last - base;) {
    let prefix = bits;
    while (prefix > 0 && fits(at, BigInt(bits - prefix + 1), last - base)) prefix--;
    networks.push(formatNetwork({ bits, value: at, prefix }));
    at += 1n << BigInt(bits - prefix);
  }
  return networks;
}

function fits(at: bigint, size: bigint, last: bigint): boolean {
  return at % (1n << size) === 0n && at + (1n << size) - 1n <= last;
}
