/** Repositories that are made once per restic and then copied: deriving a key takes 0.7 s. */

import { afterAll } from "bun:test";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tool } from "./restics.ts";
import type { World } from "./world.ts";

const PASSWORD = "correct horse battery";
const made = new Map<string, string>();

afterAll(() => {
  for (const repository of made.values()) rmSync(join(repository, ".."), { recursive: true, force: true });
  made.clear();
});

/** Puts `restic` in front of this world and a fresh repository of its own making where the world expects it. */
export function equip(world: World, restic: Tool): void {
  world.useRestic(restic.path);
  cpSync(templateOf(restic), `${world.dir}/repository`, { recursive: true });
}

function templateOf({ version, path }: Tool): string {
  const there = made.get(version);
  if (there !== undefined) return there;
  const folder = mkdtempSync(join(tmpdir(), "rbh-ready-"));
  const env = { RESTIC_PASSWORD: PASSWORD, RESTIC_REPOSITORY: `${folder}/repository`, HOME: folder };
  const { exitCode, stderr } = Bun.spawnSync([path, "init", "--no-cache"], { env });
  if (exitCode !== 0) throw new Error(`restic ${version} init: ${stderr}`);
  made.set(version, `${folder}/repository`);
  return `${folder}/repository`;
}

/** The locks in the world's repository, without those that restic is still writing. */
export const locks = (world: World): string[] =>
  readdirSync(`${world.dir}/repository/locks`).filter((name) => !name.includes("-tmp-"));

/** The snapshots in the world's repository. */
export const snapshots = (world: World): string[] => readdirSync(`${world.dir}/repository/snapshots`);
