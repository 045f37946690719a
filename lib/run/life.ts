/** How a run begins: with its lock, or not at all. */

import { environment } from "../environment.ts";
import { EXIT, Failure } from "../errors.ts";
import type { Held } from "./command.ts";
import type { Work } from "./ending.ts";
import { Job } from "./job.ts";
import { type Lock, takeLock } from "./lock.ts";
import type { RunMark } from "./marker.ts";
import { lockDirectory, lockPathOf, sceneOf } from "./scene.ts";
import { skip } from "./skip.ts";
import { forgetSkips, skipsSoFar } from "./skips.ts";

export interface LifeOptions {
  /** The worker tells the world by itself (notify-test): the run sends no mail, webhook or ping of its own. */
  readonly quiet?: boolean;
}

/**
 * Lives one run of worker `job` and resolves to its exit code. `held` is what locked_run has taken for us,
 * its lock first of all; without it we take our own, and exit with 75 when somebody else has it.
 */
export async function liveRun(
  job: string,
  held: Held | undefined,
  work: Work,
  { quiet = false }: LifeOptions = {},
): Promise<number> {
  const path = lockPathOf(job);
  const skipsBefore = skipsSoFar(lockDirectory(), job);
  // flock(1) works while we set the scene.
  const taking = takeLock(path, environment, held?.lock);
  const scene = held?.scene.identity.job === job ? held.scene : sceneOf(job);
  const busy = async (running?: RunMark) => {
    const exitCode = held === undefined ? EXIT.busy : EXIT.ok;
    await skip(scene, path, exitCode, running);
    return exitCode;
  };
  let lock: Lock | undefined;
  try {
    lock = await taking;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return new Job(scene, undefined, quiet).fail(error);
  }
  if (lock === undefined) return busy();
  const life = new Job(scene, lock, quiet);
  const claimed = await life.claim();
  if (claimed.alive !== undefined) return busy(claimed.alive);
  // locked_run, which took this lock for this job, has forgotten them by then.
  if (lock !== held?.lock && lock.inherited !== job) forgetSkips(scene.lockDir, job, skipsBefore);
  return life.live(work, claimed.died);
}
