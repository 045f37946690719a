/**
 * Repositories that restic opens at once. Deriving the key that `restic init` makes takes 0.7 s each time, by
 * design; the same master key under the cheapest scrypt serves a test that calls restic often just as well.
 */

import { createHash, randomBytes, scryptSync } from "node:crypto";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { equip } from "./ready-repository.ts";
import type { Tool } from "./restics.ts";
import { type MasterKey, seal } from "./seal.ts";
import type { World } from "./world.ts";

const COST = { N: 2, r: 1, p: 1 };

/** Like equip, with a key that is derived in no time. */
export async function equipQuickly(world: World, restic: Tool): Promise<void> {
  equip(world, restic);
  const { stdout } = await world.exec(["restic", "cat", "masterkey", "--no-lock"]);
  const master = JSON.parse(stdout.slice(stdout.indexOf("{")));
  const folder = join(world.dir, "repository/keys");
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { force: true });
  const file = JSON.stringify(keyFile(world.env.RESTIC_PASSWORD ?? "", master));
  writeFileSync(join(folder, createHash("sha256").update(file).digest("hex")), file);
}

function keyFile(password: string, master: MasterKey) {
  const salt = randomBytes(64);
  const derived = scryptSync(password, salt, 64, COST);
  const [encrypt, k, r] = [derived.subarray(0, 32), derived.subarray(32, 48), derived.subarray(48)].map(
    (part) => part.toString("base64"),
  ) as [string, string, string];
  const data = seal({ encrypt, mac: { k, r } }, Buffer.from(JSON.stringify(master)));
  return {
    created: "2026-01-01T00:00:00Z",
    username: "tester",
    hostname: "testhost",
    kdf: "scrypt",
    ...COST,
    salt: salt.toString("base64"),
    data: data.toString("base64"),
  };
}
