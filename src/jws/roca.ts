/** The odd primes that divide what the flawed library built its primes on, for keys of 512 bits and more. */
const PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
  109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/** The powers of 65537 modulo each of them. */
const POWERS = PRIMES.map((prime) => {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * 65_537) % prime) powers.add(power);
  return powers;
});

/**
 * Whether an RSA modulus was made by the library of CVE-2017-15361 (ROCA), whose keys can be factored: it is a power of
 * 65537 modulo each of these primes. By chance that happens to one key in 2^154 or so.
 *
 * @param modulus base64url, as `n` of a JWK has it
 */
export function isRocaModulus(modulus: string): boolean {
  const hex = Buffer.from(modulus, 'base64url').toString('hex');
  if (hex === '') return false;
  const n = BigInt(`0x${hex}`);
  return PRIMES.every((prime, i) => POWERS[i]!.has(Number(n % BigInt(prime))));
}
