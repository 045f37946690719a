/** Worlds for tests of hooks that are found, or cannot run. */

import { World } from "./world.ts";

export const isRoot = process.getuid?.() === 0;

/** A world with a fake restic and an empty HOOKS_DIR. */
export function world(): World {
  const it = new World();
  it.restic();
  return it;
}

/** Where the one pre-hook of these tests is. */
export const hookIn = (it: World) => `${it.hooks}/pre-backup.sh`;
