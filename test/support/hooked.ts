/** Worlds for tests of hooks that run, and of hooks that cannot. */

import { World } from "./world.ts";

export const isRoot = process.getuid?.() === 0;

/** A world with a fake restic and an empty HOOKS_DIR. */
export function world(): World {
  const it = new World();
  it.restic();
  return it;
}

/** The path of the one pre-hook of these tests. */
export const hookIn = (it: World) => `${it.hooks}/pre-backup.sh`;
