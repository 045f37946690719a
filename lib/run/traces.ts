/** What a run leaves behind in LOG_DIR, and what a run that died could not. */

import { copyWhole, replaceFile } from "../files.ts";
import type { HookResult } from "../hooks/execute.ts";
import { mailLogOf } from "../notify/scene.ts";
import { sweep } from "../process/litter.ts";
import { stamp } from "../time/format.ts";
import { localZone } from "../time/zone.ts";
import type { Ending } from "./ending.ts";
import { newestOfHistory } from "./history.ts";
import type { RunMark } from "./marker.ts";
import { header, masked, type RunRecord } from "./record.ts";
import { remember } from "./remember.ts";
import type { Run } from "./run.ts";
import { type Scene, shownRepository } from "./scene.ts";

/** Lines of the history among which the last word of a run that has died since is looked for. */
const DEATH_LOOKED_BACK = 200;

/** The record of a run that has come to this end, with what its hooks have come to so far. */
export function recordOf(scene: Scene, run: Run, ending: Ending, hooks: readonly HookResult[]): RunRecord {
  const { signal } = run.stop;
  const repository = shownRepository(scene.settings);
  return masked(
    {
      ...header(scene.identity, ending.startedMs, ending.finishedMs, ending.tookMs),
      exit_code: ending.exitCode,
      status: ending.status,
      ...(ending.status === "interrupted" && signal !== undefined ? { signal } : {}),
      ...(ending.status === "timed_out" ? { timed_out: true as const } : {}),
      ...(ending.workExitCode === undefined ? {} : { work_exit_code: ending.workExitCode }),
      ...(ending.error === undefined ? {} : { error: ending.error }),
      ...(repository === undefined ? {} : { repository }),
      ...run.facts,
      hooks,
    },
    scene.mask,
  );
}

/** What stands there by us: without hooks the completed record is the first one, and a disk takes 30 ms to say so. */
const left = new Map<string, string>();

/** Writes the record, and keeps the log of a failure where the next run does not begin it anew. */
export function leaveRecord({ log, recordPath, logPath }: Scene, record: RunRecord): void {
  try {
    const text = `${JSON.stringify(record, null, 2)}\n`;
    if (text !== left.get(recordPath)) replaceFile(recordPath, text);
    left.set(recordPath, text);
  } catch (error) {
    log.lost(`The record ${recordPath}`, error);
  }
  if (record.exit_code === 0 || !log.hasFile) return;
  const copy = errorLogOf(logPath);
  try {
    copyWhole(logPath, copy);
  } catch (error) {
    log.lost(`The copy ${copy} of this failure's log`, error);
  }
}

const errorLogOf = (logPath: string): string => logPath.replace(/-last\.log$/, "-error-last.log");

/** Writes into the history that the run before this one died; false when it had told all that there is. */
export async function rememberDeath(scene: Scene, died: RunMark, nowMs: number): Promise<boolean> {
  const { identity, mask, logDir, logPath, recordPath } = scene;
  for (const path of [recordPath, errorLogOf(logPath), mailLogOf(scene)]) sweep(path);
  // Killed in the instant between its line in the history and its last step, it has told all that there is.
  const name = `"run_id":${JSON.stringify(died.run_id)}`;
  if (newestOfHistory(logDir, DEATH_LOOKED_BACK).some((line) => line.includes(name))) return false;
  const ran = header({ ...identity, runId: died.run_id }, died.started_epoch * 1000, nowMs);
  const entry = { ...ran, status: "died", phase: died.phase, pid: died.pid, hooks: [] };
  await remember(scene, masked(entry, mask));
  return true;
}

export function deathText({ run_id, pid, started_epoch, phase }: RunMark): string {
  const since = stamp(started_epoch * 1000, localZone());
  return (
    `The run before this one died without a record: run ${run_id}, pid ${pid}, started ${since}, ` +
    `last seen in phase ${phase}. If it was killed, restic may have left its lock in the repository.`
  );
}
