/** What is known of each job, and what is not as it should be. */

import { formatDuration } from "../duration.ts";
import { isRunning, markerPath, type RunMark, readMark } from "../run/marker.ts";
import { SKIPS_MANY, skipsSoFar } from "../run/skips.ts";
import { iso, stamp } from "../time/format.ts";
import { changesIn } from "./changes.ts";
import { type Finding, Findings } from "./finding.ts";
import { judgeLast } from "./last.ts";
import { type Found, type Kept, recordAt } from "./record.ts";
import { dueOf, type Schedule } from "./schedules.ts";
import type { View } from "./view.ts";

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
    findings.warn("skipped", `it was skipped ${skips} times in a row, because a run before still goes on.`);
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
