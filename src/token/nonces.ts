import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Nonces for DPoP proofs (RFC 9449 section 9) that nobody has to remember: a time, and an HMAC over it. Whoever has
 * the secret takes them, in any worker and on any replica.
 */
export interface Nonces {
  /** One to hand out; undefined while there is no secret. */
  current(now: number): string | undefined;
  /** When a nonce was made (milliseconds since the epoch); undefined where it is none of ours, or too old. */
  madeAt(nonce: string, now: number): number | undefined;
}

export interface NoncesOptions {
  /** The first one makes nonces, any of them recognises one. */
  readonly secrets: () => readonly Buffer[];
  /** Milliseconds for which a nonce is taken. */
  readonly lifetime: number;
}

const TIME_BYTES = 6;
const MAC_BYTES = 16;

export function createNonces({ secrets, lifetime }: NoncesOptions): Nonces {
  return {
    // A new one each time: one that was made before a memory of used proofs began would be of no use to its owner.
    current(now) {
      const [secret] = secrets();
      if (secret === undefined) return undefined;
      const time = Buffer.alloc(TIME_BYTES);
      time.writeUIntBE(now, 0, TIME_BYTES);
      return Buffer.concat([time, mac(secret, time)]).toString('base64url');
    },

    madeAt(nonce, now) {
      const bytes = Buffer.from(nonce, 'base64url');
      if (bytes.length !== TIME_BYTES + MAC_BYTES || bytes.toString('base64url') !== nonce) return undefined;
      const time = bytes.subarray(0, TIME_BYTES);
      const theirs = bytes.subarray(TIME_BYTES);
      if (!secrets().some((secret) => timingSafeEqual(mac(secret, time), theirs))) return undefined;
      const at = time.readUIntBE(0, TIME_BYTES);
      return now - at < lifetime ? at : undefined;
    },
  };
}

function mac(secret: Buffer, time: Buffer): Buffer {
  return createHmac('sha256', secret).update('dpop nonce').update(time).digest().subarray(0, MAC_BYTES);
}
