/**
 * What is known of each job, and what is not as it should be.
 *
 * What the last run of a job says. Pure.
 *
 * What is not as it should be.
 */

import { readdirSync } from "node:fs";
import { Context } from "../context.ts";
import { plural } from "../text.ts";
import { iso, stamp } from "../time/format.ts";
import { formatDuration } from "../units.ts";
import { changesIn } from "./changes.ts";
import { isRunning, markerPath, type RunMark, readMark } from "./marker.ts";
import { type Found, hasSucceeded, type Kept, recordAt } from "./record.ts";
import { dueOf, type Schedule } from "./schedules.ts";
import { SKIPS_MANY, skipsSoFar } from "./skips.ts";

/** As it stands in the JSON report. */
export interface Job {
  readonly job: string;
  /** Is it scheduled? */
  readonly enabled: boolean;
  /** Of the last run; `none` without a record, `unreadable` with one that cannot be read. */
  readonly status: string;
  readonly present: boolean;
  readonly exit_code: number | null;
  /** Since the last run's work ended. */
  readonly age_seconds: number | null;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly duration_seconds: number | null;
  /** When the run after the last one was to begin, or is. */
  readonly expected_at: string | null;
  readonly overdue: boolean;
  readonly skips_in_a_row: number;
  readonly running: Running | null;
}

export interface Running {
  readonly run_id: string;
  readonly pid: number;
  readonly phase: string;
  readonly started_at: string;
  /** null before the work has told. */
  readonly percent: number | null;
  readonly eta_seconds: number | null;
}

export interface Judged {
  readonly job: Job;
  readonly found: Found | undefined;
  readonly findings: readonly Finding[];
}

/** `schedule` is absent for a job that is not on; `past` are its newest runs, the last one last. */
export function judge(
  worker: string,
  schedule: Schedule | undefined,
  past: readonly Kept[],
  view: View,
): Judged {
  const { logDir, lockDir, inLockDir, now, zone } = view;
  const found = recordAt(`${logDir}/last-${worker}.json`);
  const record = found?.record;
  const markPath = markerPath(lockDir, worker);
  const mark = inLockDir.has(markPath) ? readMark(markPath) : undefined;
  const running = mark !== undefined && isRunning(mark) ? mark : undefined;
  // Counted from its end: a run was skipped that was to begin before, and a clock that was set counts from then on.
  const due = schedule?.cron && record ? dueOf(schedule.cron, record.finished_epoch, now, zone) : undefined;
  // While one runs, the next is not late: it would be skipped.
  const isOverdue = due?.isOverdue === true && running === undefined;
  const skips = skipsSoFar(lockDir, worker);
  const findings = new Findings(worker);
  if (schedule?.problem !== undefined) findings.warn("schedule", schedule.problem);
  judgeLast(findings, found, schedule !== undefined, running !== undefined, view);
  if (isOverdue) findings.warn("overdue", overdue(due?.expected ?? 0, view));
  if (mark !== undefined && running === undefined) findings.warn("died", died(mark, view));
  if (skips >= SKIPS_MANY) {
    findings.warn(
      "skipped",
      `it was skipped ${plural(skips, "time")} in a row, because a run before still goes on.`,
    );
  }
  if (schedule !== undefined) for (const each of changesIn(past)) findings.warn(each.kind, each.message);
  const at = (epoch: number | undefined) => (epoch === undefined ? null : iso(epoch * 1000, zone));
  return {
    found,
    findings: findings.list,
    job: {
      job: worker,
      enabled: schedule !== undefined,
      status: record?.status ?? (found === undefined ? "none" : "unreadable"),
      present: found !== undefined,
      exit_code: record?.exit_code ?? null,
      age_seconds: record === undefined ? null : now - record.finished_epoch,
      started_at: at(record?.started_epoch),
      finished_at: at(record?.finished_epoch),
      duration_seconds: record?.duration_seconds ?? null,
      expected_at: at(due?.expected),
      overdue: isOverdue,
      skips_in_a_row: skips,
      running: running === undefined ? null : runningOf(running, view),
    },
  };
}

function overdue(expected: number, { now, zone }: View): string {
  const late = formatDuration(now - expected);
  return `its next run was expected at ${stamp(expected * 1000, zone)}, ${late} ago. Does crond run?`;
}

function died({ run_id, pid, started_epoch, phase }: RunMark, { zone }: View): string {
  return (
    `run ${run_id} died without a record: pid ${pid}, started ${stamp(started_epoch * 1000, zone)}, last seen in ` +
    `phase ${phase}. restic may have left its lock in the repository.`
  );
}

function runningOf(
  { run_id, pid, phase, started_epoch, percent, eta_seconds }: RunMark,
  { zone }: View,
): Running {
  return {
    run_id,
    pid,
    phase,
    started_at: iso(started_epoch * 1000, zone),
    percent: percent ?? null,
    eta_seconds: eta_seconds ?? null,
  };
}

/** A record from so many seconds ahead tells of a clock that was set back. */
const AHEAD_SECONDS = 60;

export function judgeLast(
  findings: Findings,
  found: Found | undefined,
  isEnabled: boolean,
  isRunningNow: boolean,
  view: View,
): void {
  if (found === undefined) {
    const said = "it is scheduled, but has left no record yet.";
    if (isEnabled && !isRunningNow) findings.warn("no-record", said);
    return;
  }
  const { record, path, problem } = found;
  if (record === undefined) {
    findings.warn("unreadable", `its record ${path} cannot be read: ${problem}.`);
    return;
  }
  if (record.started_epoch > view.now + AHEAD_SECONDS) {
    const when = stamp(record.started_epoch * 1000, view.zone);
    findings.warn("future", `its last run began at ${when}, which is still to come. Was the clock set back?`);
  }
  judgeResult(findings, record, isEnabled, view);
}

/** A failure weighs more where a schedule relies on the job. A person who said no, and a success, are no finding. */
function judgeResult(findings: Findings, record: Kept, isEnabled: boolean, view: View): void {
  const { status, exit_code, finished_epoch, error } = record;
  if (status === "cancelled" || (hasSucceeded(record) && status !== "warning")) return;
  const when = `${formatDuration(view.now - finished_epoch)} ago`;
  const why = typeof error === "string" ? ` ${error}` : "";
  if (status === "warning") {
    findings.warn("warning", `its last run, ${when}, ended with a warning (exit ${exit_code}).${why}`);
  } else if (status === "interrupted") {
    findings.warn("interrupted", `its last run was interrupted ${when} (exit ${exit_code}).${why}`);
  } else {
    const what = status === "timed_out" ? "timed out" : "failed";
    const said = `its last run ${what} ${when} (exit ${exit_code}).${why}`;
    if (isEnabled) findings.fail("failed", said);
    else findings.warn("failed", said);
  }
}

export type Verdict = "OK" | "WARN" | "FAIL";

export interface Finding {
  readonly job: string;
  readonly status: Exclude<Verdict, "OK">;
  /** A word for programs: `failed`, `overdue`, `no-record` … */
  readonly kind: string;
  readonly message: string;
}

/** Collects those of one job. */
export class Findings {
  readonly list: Finding[] = [];

  constructor(private readonly job: string) {}

  warn(kind: string, message: string): void {
    this.list.push({ job: this.job, status: "WARN", kind, message });
  }

  fail(kind: string, message: string): void {
    this.list.push({ job: this.job, status: "FAIL", kind, message });
  }
}

/** The worst of them. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  if (findings.some(({ status }) => status === "FAIL")) return "FAIL";
  return findings.length > 0 ? "WARN" : "OK";
}

/** What status looks at: local files only. Says nothing of odd values: config-check and doctor judge them. */
export class View extends Context {
  /** The paths in LOCK_DIR: one look there is cheaper than one for each marker that is not there. */
  readonly inLockDir: ReadonlySet<string>;
  /** Now, in epoch seconds. */
  readonly now = Math.floor(Date.now() / 1000);

  /** `workers` are the names of the runs, in the order of the table. */
  constructor(readonly workers: readonly string[]) {
    super("status", { onOddValue: () => {} });
    this.inLockDir = new Set(pathsIn(this.lockDir));
  }
}

function pathsIn(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => `${folder}/${name}`);
  } catch {
    // No such folder, or not ours to see: then no run of ours is alive either.
    return [];
  }
}
