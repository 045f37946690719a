/** Runs a backup that succeeds, and stops it while its post-hook runs. Resolves to its exit code. */

import { type World, waitFor } from "./world.ts";

export async function stopInPostHook(world: World): Promise<number> {
  world.restic();
  world.hook("post-backup", 'touch "$HOME/there"; sleep 30');
  const child = world.start("backup", [], { env: { STOP_TIMEOUT: "1" } });
  await waitFor(() => world.has("there"), "the post-hook");
  child.kill("SIGTERM");
  return child.exited;
}
