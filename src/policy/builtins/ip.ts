import { isIPv4, isIPv6 } from 'node:net';
import { BuiltinError } from './builtin.js';

/** An address or the first one of a network: its bits as a number. */
export interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

/** Addresses whose first `prefix` bits are those of `address`, which has no other bits set. */
export interface Network extends Address {
  readonly prefix: number;
}

/** `::ffff:0:0`, before the IPv4 addresses in IPv6 (RFC 4291 section 2.5.5.2). */
export const MAPPED = 0xffffn << 32n;

/**
 * As Go's net.ParseIP: no zone, no leading zeros, and an IPv4 address written as IPv6 (`::ffff:192.0.2.1`) is an
 * IPv4 address.
 */
export function parseAddress(text: string): Address | undefined {
  const address = parseLiteral(text);
  return address === undefined ? undefined : unmapped(address);
}

/**
 * As Go's net.ParseCIDR: bits of the address after the prefix are dropped. A network within `::ffff:0:0/96` is one
 * of IPv4.
 */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseLiteral(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (address === undefined || !/^[0-9]+$/.test(length)) return undefined;
  const prefix = Number(length);
  if (prefix > address.bits) return undefined;
  const network = { ...address, value: masked(address, prefix), prefix };
  return isMapped(network) && prefix >= 96 ? { ...unmapped(network), prefix: prefix - 96 } : network;
}

/**
 * @throws BuiltinError
 */
export function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (network === undefined) throw new BuiltinError('invalid CIDR address');
  return network;
}

/** Whether `inner` is in `outer`, all of it. */
export function contains(outer: Network, inner: Network): boolean {
  return (
    outer.bits === inner.bits && outer.prefix <= inner.prefix && masked(inner, outer.prefix) === outer.value
  );
}

/** The network of one address. */
export function alone(address: Address): Network {
  return { ...address, prefix: address.bits };
}

/** How many addresses there are in a network. */
export function sizeOf({ bits, prefix }: Network): bigint {
  return 1n << BigInt(bits - prefix);
}

export function formatNetwork(network: Network): string {
  return `${formatAddress(network)}/${network.prefix}`;
}

/** RFC 5952 form: lower case, the longest run of two or more zero groups as `::`. */
export function formatAddress({ bits, value }: Address): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
  if (value >> 32n === 0xffffn) return formatAddress({ bits: 32, value: value & 0xffffffffn });
  const groups = Array.from({ length: 8 }, (_, i) => (value >> BigInt(112 - 16 * i)) & 0xffffn);
  const [start, length] = longestZeros(groups);
  const write = (some: bigint[]) => some.map((group) => group.toString(16)).join(':');
  if (length < 2) return write(groups);
  return `${write(groups.slice(0, start))}::${write(groups.slice(start + length))}`;
}

/** Where the first of the longest runs of zeros is. */
function longestZeros(groups: readonly bigint[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === 0n) end++;
    if (end - start > best[1]) best = [start, end - start];
  }
  return best;
}

function parseLiteral(text: string): Address | undefined {
  if (isIPv4(text)) return { bits: 32, value: ipv4(text) };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head, tail] = text.split('::');
  const [left, right] = [groupsOf(head!), groupsOf(tail ?? '')];
  // `1:2:3:4:5:6:7::8` leaves nothing for `::` to stand for, which Go refuses.
  const missing = 8 - left.length - right.length;
  if (tail !== undefined && missing < 1) return undefined;
  const groups = [...left, ...Array<bigint>(missing).fill(0n), ...right];
  return { bits: 128, value: groups.reduce((value, group) => (value << 16n) | group, 0n) };
}

function groupsOf(text: string): bigint[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)];
    const value = ipv4(group);
    return [value >> 16n, value & 0xffffn];
  });
}

function ipv4(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function masked({ bits, value }: Address, prefix: number): bigint {
  const rest = BigInt(bits - prefix);
  return (value >> rest) << rest;
}

function isMapped({ bits, value }: Address): boolean {
  return bits === 128 && value >> 32n === 0xffffn;
}

function unmapped(address: Address): Address {
  return isMapped(address) ? { bits: 32, value: address.value & 0xffffffffn } : address;
}
