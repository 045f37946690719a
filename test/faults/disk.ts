/** A world whose work and hooks record that they ran, for faults of its disk. */

import { readdirSync } from "node:fs";
import type { World } from "../support/world.ts";

/** The one line that reports what cannot be written in LOG_DIR. */
export const LOST = / WARN .* cannot be written: /g;

export function prepare(world: World): void {
  world.restic("echo work >>$HOME/happened; exit $CODE");
  world.hook("pre-backup", "echo pre >>$HOME/happened");
  world.hook("post-backup", "echo post >>$HOME/happened");
  forget(world);
}

export const forget = (world: World) => world.file("happened", "");

/** Temporary files that were not removed. */
export const leftovers = (world: World) =>
  [...readdirSync(world.log), ...readdirSync(world.lock)].filter((name) => name.includes(".tmp"));
