/**
 * Section Recent runs: what each worker left behind; alive.ts adds what LOCK_DIR tells.
 *
 * What LOCK_DIR tells of a worker: a run that is alive, one that has died, who holds the lock, and skips.
 */

import { type Stats, statSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import { errnoOf, reasonOf } from "../errors.ts";
import { readSmallFile } from "../files/files.ts";
import { scheduleOf } from "../schedule/schedule.ts";
import { hasOpen, keepersOf, parseSignature } from "../state/holder.ts";
import { isRunning, markerPath, type RunMark, readMark } from "../state/marker.ts";
import { SKIPS_MANY, skipsSoFar } from "../state/skips.ts";
import { plural } from "../text.ts";
import { isEpoch, stamp } from "../time/format.ts";
import { formatBytes, formatDuration } from "../units.ts";
import { Checks, type Findings, type Patient, type Status } from "./checks.ts";

export interface RecentJson {
  readonly path: string;
  readonly present: boolean;
  readonly size_bytes: number;
}

/** Records are some kilobytes; what is larger is no record. */
const RECORD_MOST = 4 * 1024 * 1024;

export function recentRuns(patient: Patient): Findings<RecentJson[]> {
  const checks = new Checks("Recent runs");
  const json = patient.runs.map(({ name }) => {
    const path = `${patient.settings.folder("LOG_DIR")}/last-${name}.json`;
    judgeRecord(checks, name, path, patient);
    judgeNow(checks, name, patient);
    const stat = statOf(path);
    return { path, present: stat !== undefined, size_bytes: stat?.size ?? 0 };
  });
  return { checks: checks.list, json };
}

function judgeRecord(checks: Checks, worker: string, path: string, patient: Patient): void {
  let text: string;
  try {
    text = readSmallFile(path, RECORD_MOST);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") checks.info(`${worker}: no record yet.`);
    else checks.warn(`${worker}: its record ${path} cannot be read: ${reasonOf(error)}.`);
    return;
  }
  const record = recordIn(text);
  if (record === undefined) {
    checks.warn(
      `${worker}: ${path} (${formatBytes(text.length)}) is no record: it is not valid JSON, or not ours.`,
    );
    return;
  }
  checks.add(
    gravity(record, isScheduled(worker, patient.settings)),
    `${worker}: ${summary(record, patient)}`,
  );
}

export interface Seen {
  readonly exit_code: number;
  readonly finished_epoch: number;
  readonly status?: string | undefined;
  readonly duration_seconds?: number | undefined;
}

/** The fields of a record that are told; undefined when the text is no record. Older ones lack some. Pure. */
export function recordIn(text: string): Seen | undefined {
  try {
    const { exit_code, finished_epoch, status, duration_seconds } = JSON.parse(text) as Record<
      string,
      unknown
    >;
    if (typeof exit_code !== "number" || !isEpoch(finished_epoch)) return undefined;
    return {
      exit_code,
      finished_epoch,
      status: typeof status === "string" ? status : undefined,
      duration_seconds: typeof duration_seconds === "number" ? duration_seconds : undefined,
    };
  } catch {
    // Not JSON, or not an object: the caller says so.
    return undefined;
  }
}

/** A failure weighs more where a schedule relies on the worker. Pure. */
export function gravity({ exit_code, status }: Seen, isScheduled: boolean): Status {
  switch (status ?? (exit_code === 0 ? "ok" : "failed")) {
    case "ok":
      return "OK";
    case "cancelled":
      return "INFO";
    case "failed":
    case "timed_out":
      return isScheduled ? "FAIL" : "WARN";
    default:
      return "WARN";
  }
}

function summary({ exit_code, finished_epoch, status, duration_seconds }: Seen, patient: Patient): string {
  const age = patient.nowMs / 1000 - finished_epoch;
  const when = stamp(finished_epoch * 1000, patient.zone);
  const ago = age < -60 ? "in the future: was the clock set back?" : `${formatDuration(age)} ago`;
  const took = duration_seconds === undefined ? "" : `, took ${formatDuration(duration_seconds)}`;
  return `${status ?? "finished"}, exit ${exit_code}, ${ago} (${when})${took}.`;
}

function isScheduled(worker: string, settings: Settings): boolean {
  return scheduleOf(settings).some(({ job, expression }) => job === worker && expression !== "");
}

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
    const said = `${worker}: skipped ${plural(skips, "time")} in a row, as a run still went on.`;
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
