/**
 * Locks in a repository: real ones, by a restic that works or was killed, and forged ones, of any host, process and
 * age. A forged one is what restic itself would have written (its design document, "Keys, Encryption and MAC"):
 * AES-256-CTR, Poly1305-AES, and the SHA-256 of the file as its name.
 */

import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type World, waitFor } from "./world.ts";

export interface LockFields {
  readonly hostname?: string;
  readonly pid?: number;
  readonly exclusive?: boolean;
  /** Seconds since it was refreshed. */
  readonly age?: number;
}

const locksOf = (world: World) => join(world.dir, "repository/locks");

/** Names of the locks; files that are being written have other ones. */
export const lockNames = (world: World): string[] =>
  readdirSync(locksOf(world)).filter((name) => /^[0-9a-f]{64}$/.test(name));

interface MasterKey {
  readonly mac: { readonly k: string; readonly r: string };
  readonly encrypt: string;
}

/** Writes locks into one world's repository. */
export class Forger {
  private constructor(
    private readonly world: World,
    private readonly key: MasterKey,
  ) {}

  static async of(world: World): Promise<Forger> {
    const { stdout } = await world.exec(["restic", "cat", "masterkey", "--no-lock"]);
    return new Forger(world, JSON.parse(stdout.slice(stdout.indexOf("{"))));
  }

  /** Returns the id as restic shows it. */
  forge({ hostname: host = hostname(), pid = 1, exclusive = false, age = 0 }: LockFields): string {
    const time = new Date(Date.now() - age * 1000).toISOString();
    const lock = { time, exclusive, hostname: host, username: "tester", pid };
    const file = this.seal(Buffer.from(JSON.stringify(lock)));
    const name = createHash("sha256").update(file).digest("hex");
    writeFileSync(join(locksOf(this.world), name), file);
    return name.slice(0, 8);
  }

  private seal(plain: Buffer): Buffer {
    const [encrypt, k, r] = [this.key.encrypt, this.key.mac.k, this.key.mac.r].map((each) =>
      Buffer.from(each, "base64"),
    ) as [Buffer, Buffer, Buffer];
    const nonce = randomBytes(16);
    const cipher = createCipheriv("aes-256-ctr", encrypt, nonce);
    const text = Buffer.concat([cipher.update(plain), cipher.final()]);
    const aes = createCipheriv("aes-128-ecb", k, null).setAutoPadding(false);
    return Buffer.concat([nonce, text, poly1305(text, r, aes.update(nonce))]);
  }
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

/** A restic that holds a shared lock until it is killed: a backup whose input never comes. */
export async function startHolder(world: World) {
  const before = lockNames(world).length;
  const child = Bun.spawn(["restic", "backup", "--stdin", "--host", "testhost"], {
    env: world.env,
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  await waitFor(() => lockNames(world).length > before, "the holder's lock", 30_000);
  return child;
}

/** Leaves the lock of a restic of this host that was killed; returns its pid. */
export async function leaveDeadLock(world: World): Promise<number> {
  const child = await startHolder(world);
  child.kill("SIGKILL");
  await child.exited;
  return child.pid;
}
