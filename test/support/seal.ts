/**
 * What restic encrypts, as its design document has it ("Keys, Encryption and MAC"): AES-256-CTR with Poly1305-AES.
 */

import { createCipheriv, randomBytes } from "node:crypto";

/** In base64, as `restic cat masterkey` prints it. */
export interface MasterKey {
  readonly mac: { readonly k: string; readonly r: string };
  readonly encrypt: string;
}

/** Nonce, ciphertext and MAC. */
export function seal(key: MasterKey, plain: Buffer): Buffer {
  const [encrypt, k, r] = [key.encrypt, key.mac.k, key.mac.r].map((each) => Buffer.from(each, "base64")) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  const nonce = randomBytes(16);
  const cipher = createCipheriv("aes-256-ctr", encrypt, nonce);
  const text = Buffer.concat([cipher.update(plain), cipher.final()]);
  const aes = createCipheriv("aes-128-ecb", k, null).setAutoPadding(false);
  return Buffer.concat([nonce, text, poly1305(text, r, aes.update(nonce))]);
}

/** RFC 8439, 2.5. */
function poly1305(message: Buffer, r: Buffer, s: Buffer): Buffer {
  const number = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex") || "0"}`);
  const clamped = number(r) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = Buffer.concat([message.subarray(at, at + 16), Buffer.of(1)]);
    sum = ((sum + number(block)) * clamped) % (2n ** 130n - 5n);
  }
  const tag = (sum + number(s)) % 2n ** 128n;
  return Buffer.from(tag.toString(16).padStart(32, "0"), "hex").reverse();
}
