/** The folder that a snapshot is restored into when it cannot be streamed. */

import { promises as disk, mkdirSync } from "node:fs";
import { ConfigError, reasonOf } from "../errors.ts";
import { within } from "../process/timer.ts";
import type { Run } from "../run/run.ts";
import { ownMark } from "./leftovers.ts";

/** Makes it in `parent`, for our own eyes only. Throws a ConfigError. */
export function makeWorkdir(parent: string): string {
  const path = `${parent === "/" ? "" : parent}/snapshot-export.${ownMark("work")}`;
  try {
    mkdirSync(path, { mode: 0o700 });
    return path;
  } catch (error) {
    throw new ConfigError(
      `The work directory ${path} cannot be made: ${reasonOf(error)}. Choose another one with --work-dir.`,
    );
  }
}

/** A stop leaves so much of its budget to the post-hooks. */
const STOP_SHARE = 0.8;

/** Removes it. What cannot be removed in time, or at all, is named, and the next export removes it. */
export async function removeWorkdir(run: Run, path: string): Promise<void> {
  const removal = disk.rm(path, { recursive: true, force: true });
  let why = "there was no time left";
  const done = within(run.stop.msUntil(STOP_SHARE), removal);
  try {
    if (await done) {
      await removal;
      return;
    }
  } catch (error) {
    why = reasonOf(error);
  }
  run.log.warn(`The work directory ${path} is not removed (${why}); the next export removes it.`);
}
