/** A folder that a run makes to put a snapshot's files into for a while. */

import { mkdirSync, promises, renameSync } from "node:fs";
import { ConfigError, errnoOf, reasonOf } from "../errors.ts";
import { within } from "../process/timer.ts";
import { compact } from "../time/format.ts";
import { localZone } from "../time/zone.ts";
import { openFolders } from "../tree.ts";
import { ownMark } from "./leftovers.ts";
import type { Run } from "./run.ts";

/** Makes it in `parent`, for our own eyes only. Throws a ConfigError that names the flag for another place. */
export function makeWorkdir(parent: string, worker: string, flag: string): string {
  const path = `${parent === "/" ? "" : parent}/${worker}.${ownMark("work")}`;
  try {
    mkdirSync(path, { mode: 0o700 });
    return path;
  } catch (error) {
    throw new ConfigError(
      `The work directory ${path} cannot be made: ${reasonOf(error)}. Choose another one with ${flag}.`,
    );
  }
}

/** Gives it a name without our mark, by which the next run would take it for a leftover. Returns where it is then. */
export function keepWorkdir(run: Run, path: string): string {
  const kept = path.replace(/\.rbh-[^/]*$/, `-${compact(Date.now(), localZone())}`);
  try {
    renameSync(path, kept);
    return kept;
  } catch (error) {
    run.log.warn(
      `${path} cannot be renamed (${reasonOf(error)}); move it away before the next ${run.name} removes it.`,
    );
    return path;
  }
}

/** A stop leaves so much of its budget to the post-hooks. */
const STOP_SHARE = 0.8;

/** Removes it. What cannot be removed in time, or at all, is named, and false returned: the next run removes it. */
export async function removeWorkdir(run: Run, path: string): Promise<boolean> {
  const removal = remove(path);
  let why = "there was no time left";
  const done = within(run.stop.msUntil(STOP_SHARE), removal);
  try {
    if (await done) {
      await removal;
      return true;
    }
  } catch (error) {
    why = reasonOf(error);
  }
  run.log.warn(`The work directory ${path} is not removed (${why}); the next ${run.name} removes it.`);
  return false;
}

async function remove(path: string): Promise<void> {
  const options = { recursive: true, force: true } as const;
  try {
    await promises.rm(path, options);
  } catch (error) {
    if (errnoOf(error) !== "EACCES" && errnoOf(error) !== "EPERM") throw error;
    openFolders(path);
    await promises.rm(path, options);
  }
}
