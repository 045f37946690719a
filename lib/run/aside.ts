/** What a worker does that only looks: no lock, no hooks, no record, beside a run that may be under way. */

import { bugReport, EXIT, Failure } from "../errors.ts";
import { exitCodeOfSignal } from "../process/spawn.ts";
import { Stop } from "../process/stop.ts";
import { Marker } from "./marker.ts";
import { Run } from "./run.ts";
import { sceneOf } from "./scene.ts";

/** Resolves to the exit code. A Failure is the caller's to report. */
export async function lookAside(job: string, look: (run: Run) => Promise<number>): Promise<number> {
  const { identity, settings, log, lockDir, env } = sceneOf(job);
  const stop = new Stop(() => settings.seconds("STOP_TIMEOUT") * 1000);
  stop.install();
  // A marker that was never claimed writes nothing.
  const marker = new Marker(lockDir, job, identity.runId, 0);
  const run = new Run(job, identity.runId, log, settings, stop, marker, env, undefined);
  try {
    const exitCode = await look(run);
    return stop.signal === undefined ? exitCode : exitCodeOfSignal(stop.signal);
  } catch (error) {
    if (stop.signal !== undefined) return exitCodeOfSignal(stop.signal);
    if (error instanceof Failure) throw error;
    log.error(bugReport(error));
    return EXIT.internal;
  }
}
