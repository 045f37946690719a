/** What LOCK_DIR tells of a worker: a run that is alive, one that has died, who holds the lock, and skips. */

import { type Stats, statSync } from "node:fs";
import { formatDuration } from "../duration.ts";
import { errnoOf, reasonOf } from "../errors.ts";
import { readSmallFile } from "../files.ts";
import { hasOpen, keepersOf, parseSignature } from "../run/holder.ts";
import { isRunning, markerPath, type RunMark, readMark } from "../run/marker.ts";
import { SKIPS_MANY, skipsSoFar } from "../run/skips.ts";
import { stamp } from "../time/format.ts";
import type { Checks } from "./check.ts";
import type { Patient } from "./patient.ts";

const LOCK_MOST = 4096;

export function judgeNow(checks: Checks, worker: string, patient: Patient): void {
  const lockDir = patient.settings.folder("LOCK_DIR");
  const marker = markerPath(lockDir, worker);
  const mark = statOf(marker)?.isFile() ? readMark(marker) : undefined;
  if (mark !== undefined && isRunning(mark)) checks.info(`${worker}: ${running(mark, patient)}`);
  else {
    if (mark !== undefined) checks.warn(`${worker}: ${died(mark, patient)}`);
    judgeLock(checks, worker, `${lockDir}/${worker}.lock`);
  }
  const skips = skipsSoFar(lockDir, worker);
  if (skips > 0) {
    const said = `${worker}: skipped ${skips} ${skips === 1 ? "time" : "times"} in a row, as a run still went on.`;
    checks.add(skips < SKIPS_MANY ? "INFO" : "WARN", said);
  }
}

function running(
  { pid, started_epoch, phase, percent, eta_seconds }: RunMark,
  { nowMs, zone }: Patient,
): string {
  const done = percent === undefined ? "" : `, ${percent}% done`;
  const left = eta_seconds === undefined ? "" : `, ${formatDuration(eta_seconds)} left`;
  const age = formatDuration(nowMs / 1000 - started_epoch);
  return `running for ${age}, since ${stamp(started_epoch * 1000, zone)}, pid ${pid}, phase ${phase}${done}${left}.`;
}

function died({ run_id, pid, started_epoch, phase }: RunMark, { zone }: Patient): string {
  return (
    `run ${run_id} died without a record: pid ${pid}, started ${stamp(started_epoch * 1000, zone)}, last seen in ` +
    `phase ${phase}. restic may have left its lock in the repository: see the probe, and unlock.`
  );
}

/** A lock without a run of ours: locked_run holds it for another command, or what a dead run started does. */
function judgeLock(checks: Checks, worker: string, path: string): void {
  let text: string;
  try {
    text = readSmallFile(path, LOCK_MOST);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT")
      checks.warn(`${worker}: its lock ${path} cannot be read: ${reasonOf(error)}.`);
    return;
  }
  const { pid, since, alive } = parseSignature(text);
  if (pid === undefined) return;
  const sinceText = since === undefined ? "" : ` since ${since}`;
  if (alive && hasOpen(pid, path))
    checks.info(`${worker}: its lock ${path} is held by pid ${pid}${sinceText}.`);
  else {
    const keepers = keepersOf(path).map((keeper) => `${keeper.name} with pid ${keeper.pid}`);
    if (keepers.length === 0) return;
    checks.warn(
      `${worker}: pid ${pid} has died, but what it started still runs and holds the lock ${path}: ` +
        `${keepers.join(", ")}. Runs are skipped until it ends.`,
    );
  }
}

/** undefined for what is missing or cannot be looked at. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    // Missing, or not ours to see: what needs it has said so.
    return undefined;
  }
}
