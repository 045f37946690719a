/** A worker whose runs must not overlap. */

import { Gate } from "./gate.ts";
import type { World } from "./world.ts";

/** Gives the world a restic that reports a second one running at the same time, and waits at the gate. */
export function guarded(world: World): Gate {
  const gate = new Gate(world);
  world.restic(`
mkdir '${world.dir}/inside' 2>/dev/null || echo overlap >>'${world.dir}/overlaps'
${gate.here}
rmdir '${world.dir}/inside'`);
  return gate;
}
