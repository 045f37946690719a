/** Section Recent runs: what lib/state judges of each worker, its lock, and a run in progress. Local files only. */

import { recordPath } from "../context.ts";
import { missingSchedule } from "../state/alive.ts";
import { inspectLock } from "../state/holder.ts";
import { agoText, type Judged, judgeJobs } from "../state/jobs.ts";
import type { RunMark } from "../state/marker.ts";
import { hasSucceeded, type PastRecord } from "../state/record.ts";
import { formatDuration, plural } from "../text.ts";
import { stamp } from "../time/zone.ts";
import { Checks, type DoctorContext, type Findings } from "./checks.ts";

export interface RecentJson {
  readonly path: string;
  readonly present: boolean;
  readonly size_bytes: number;
}

export function recentRuns(patient: DoctorContext): Findings<RecentJson[]> {
  const checks = new Checks("Recent runs");
  const missing = missingSchedule(patient);
  if (missing !== undefined) checks.fail(missing);
  const json = judgeJobs(patient).map((judged) => {
    const { found } = judged;
    const { job } = judged.job;
    reportLast(checks, judged, patient);
    reportNow(checks, judged, patient);
    for (const { kind, message } of judged.findings) {
      if (!TOLD_ELSEWHERE.has(kind)) checks.warn(`${job}: ${message}`);
    }
    return {
      path: recordPath(patient.logDir, job),
      present: found !== undefined,
      size_bytes: found?.size ?? 0,
    };
  });
  return { checks: checks.list, json };
}

/**
 * Findings that have a line of their own here, or in the configuration checks (schedule). A job without a record is
 * INFO to doctor: it looks at containers that have just been set up.
 */
const TOLD_ELSEWHERE: ReadonlySet<string> = new Set([
  "schedule",
  "no-record",
  "warning",
  "interrupted",
  "failed",
  "skipped",
]);

function reportLast(checks: Checks, { job, found, record, result }: Judged, patient: DoctorContext): void {
  if (record !== undefined && result !== undefined)
    checks.add(result, `${job.job}: ${describeRun(record, patient)}`);
  else if (found === undefined) checks.info(`${job.job}: no record yet.`);
}

function describeRun(record: PastRecord, { now, zone }: DoctorContext): string {
  const { status, exit_code, finished_epoch, duration_seconds } = record;
  const work = status === "interrupted" && hasSucceeded(record) ? " (its work had succeeded)" : "";
  const when = stamp(finished_epoch * 1000, zone);
  return `${status}, exit ${exit_code}${work}, ${agoText(now - finished_epoch)} (${when}), took ${formatDuration(duration_seconds)}.`;
}

function reportNow(checks: Checks, { job, running, findings }: Judged, patient: DoctorContext): void {
  if (running !== undefined) checks.info(`${job.job}: ${describeRunning(running, patient)}`);
  else reportLock(checks, job.job, `${patient.lockDir}/${job.job}.lock`);
  const skips = job.skips_in_a_row;
  if (skips > 0) {
    const isMany = findings.some(({ kind }) => kind === "skipped");
    const said = `${job.job}: skipped ${plural(skips, "time")} in a row, as a run still went on.`;
    checks.add(isMany ? "WARN" : "INFO", said);
  }
}

function describeRunning(
  { pid, started_epoch, phase, percent, eta_seconds }: RunMark,
  { now, zone }: DoctorContext,
): string {
  const done = percent === undefined ? "" : `, ${percent}% done`;
  const left = eta_seconds === undefined ? "" : `, ${formatDuration(eta_seconds)} left`;
  const age = formatDuration(now - started_epoch);
  return `running for ${age}, since ${stamp(started_epoch * 1000, zone)}, pid ${pid}, phase ${phase}${done}${left}.`;
}

/** A lock without a run of ours: locked_run holds it for another command, or a child of a dead run does. */
function reportLock(checks: Checks, worker: string, path: string): void {
  const lock = inspectLock(path);
  if (lock.state === "unreadable")
    checks.warn(`${worker}: its lock ${path} cannot be read: ${lock.problem}.`);
  if (lock.state === "held") {
    const since = lock.since === undefined ? "" : ` since ${lock.since}`;
    checks.info(`${worker}: its lock ${path} is held by pid ${lock.pid}${since}.`);
  }
  if (lock.state === "orphaned") {
    const processes = lock.processes.map(({ name, pid }) => `${name} with pid ${pid}`);
    checks.warn(
      `${worker}: pid ${lock.pid} has died, but what it started still runs and holds the lock ${path}: ` +
        `${processes.join(", ")}. Runs are skipped until it ends.`,
    );
  }
}
