/** Waits for the end of everything that a fault has left behind. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type World, waitFor } from "../support/world.ts";

/**
 * Waits until no process of this world is left and every lock is free. An exiting process loses its environment
 * before it closes its files, so the locks are freed moments later.
 */
export async function waitForPeace(world: World): Promise<void> {
  await waitFor(() => world.processes().length === 0, "the end of every process of this world");
  // The fault may have removed LOCK_DIR itself.
  const names = existsSync(world.lock) ? readdirSync(world.lock) : [];
  for (const name of names.filter((each) => each.endsWith(".lock"))) {
    const isFree = async () => (await world.exec(["flock", "-n", join(world.lock, name), "true"])).code === 0;
    await waitFor(isFree, `${name} to be free`, 2000);
  }
}
