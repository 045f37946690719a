/** What the work of a run comes to, whatever becomes of it. */

import { bugReport, EXIT, Failure, reasonOf } from "../errors.ts";
import { exitCodeOfSignal } from "../process/spawn.ts";
import type { Stop } from "../process/stop.ts";
import type { Status } from "./record.ts";
import type { Outcome, Run } from "./run.ts";
import type { Scene } from "./scene.ts";

export type Work = (run: Run, scene: Scene) => Promise<Outcome>;

/** What the work came to, and when. */
export interface Ending extends Outcome {
  readonly status: Status;
  readonly startedMs: number;
  readonly finishedMs: number;
  /** How long the work took, in milliseconds, whatever was done to the clock meanwhile. */
  readonly tookMs: number;
  readonly error?: string;
  /** What the work itself came to, where a stop gave the run another exit code. */
  readonly workExitCode?: number;
}

/** Does the work, unless the run has been told to stop before. Never throws for what the work does. */
export async function endingOf(work: Work, run: Run, scene: Scene): Promise<Ending> {
  const { stop } = run;
  const startedMs = Date.now();
  const begun = performance.now();
  run.begin();
  if (stop.signal !== undefined) {
    const exitCode = exitCodeOfSignal(stop.signal);
    return { exitCode, status: "interrupted", startedMs, finishedMs: startedMs, tookMs: 0 };
  }
  const outcome = await attempt(work, run, scene);
  const status = outcome.status ?? (outcome.exitCode === 0 ? "ok" : "failed");
  const tookMs = performance.now() - begun;
  const ending: Ending = { ...outcome, status, startedMs, finishedMs: Date.now(), tookMs };
  if (run.timedOut && stop.signal === undefined) {
    return { ...ending, exitCode: EXIT.timedOut, status: "timed_out" };
  }
  return interrupted(ending, stop);
}

/** A stop gives the run its exit code, whenever it came; what the work came to stays known. */
export function interrupted(ending: Ending, { signal, forced }: Stop): Ending {
  if (signal === undefined || ending.status === "interrupted") return ending;
  if (ending.endedByStop && !forced) return ending;
  const exitCode = exitCodeOfSignal(signal);
  return { ...ending, exitCode, status: "interrupted", workExitCode: ending.exitCode };
}

/** Whatever the work throws becomes its exit code: here and nowhere else. */
async function attempt(work: Work, run: Run, scene: Scene): Promise<Outcome & { error?: string }> {
  const { log, settings } = scene;
  try {
    settings.refuseDoubles();
    return await work(run, scene);
  } catch (error) {
    if (error instanceof Failure) {
      log.error(error.message);
      return { exitCode: error.exitCode, error: error.message };
    }
    log.error(bugReport(error));
    return { exitCode: EXIT.internal, error: reasonOf(error) };
  }
}
