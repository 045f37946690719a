/** The end of all that a fault has left behind. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type World, waitFor } from "../support/world.ts";

/**
 * Waits until no process of this world is left and every lock is free. A process that ends shows no environment any
 * more before it closes its files, so the locks follow within moments.
 */
export async function waitForPeace(world: World): Promise<void> {
  await waitFor(() => world.processes().length === 0, "the end of every process of this world");
  // LOCK_DIR itself may be what the fault has taken away.
  const names = existsSync(world.lock) ? readdirSync(world.lock) : [];
  for (const name of names.filter((each) => each.endsWith(".lock"))) {
    const isFree = async () => (await world.exec(["flock", "-n", join(world.lock, name), "true"])).code === 0;
    await waitFor(isFree, `${name} to be free`, 2000);
  }
}
