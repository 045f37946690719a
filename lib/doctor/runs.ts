/** Section Recent runs: what each worker left behind; alive.ts adds what LOCK_DIR tells. */

import type { Settings } from "../config/settings.ts";
import { formatDuration } from "../duration.ts";
import { errnoOf, reasonOf } from "../errors.ts";
import { readSmallFile } from "../files.ts";
import { scheduleOf } from "../schedule.ts";
import { formatBytes } from "../size.ts";
import { isEpoch, stamp } from "../time/format.ts";
import { judgeNow, statOf } from "./alive.ts";
import { Checks, type Findings, type Status } from "./check.ts";
import type { Patient } from "./patient.ts";

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
