/**
 * What is known of each job from what its runs have left behind, and the one judgement of it: status and doctor both
 * read through here. Local files only: nothing is started, nothing is asked of a network.
 */

import { readdirSync } from "node:fs";
import { formatDuration, plural } from "../text.ts";
import { iso, stamp, type Zone } from "../time/zone.ts";
import { scheduledSince } from "./alive.ts";
import { changesIn, RUNS_COMPARED } from "./changes.ts";
import { readRunsEnd, runsByJob } from "./history.ts";
import { inspectLock, isOpenAnywhere, SKIPS_MANY, skipsInARow } from "./holder.ts";
import { isRunning, markerPath, type RunMark, readMark } from "./marker.ts";
import {
  alertsOf,
  HOOK_FAILED,
  hasSucceeded,
  isAhead,
  type PastRecord,
  type RecordFile,
  readLastRun,
  withoutExit,
} from "./record.ts";
import { judgeDue, type Schedule, Scheduled, scheduleFor } from "./schedules.ts";

/** As it stands in the JSON report of status. */
export interface Job {
  readonly job: string;
  /** Is it scheduled? */
  readonly enabled: boolean;
  /** Of the last run; `none` without a record, `unreadable` with one that cannot be read. */
  readonly status: string;
  readonly present: boolean;
  readonly exit_code: number | null;
  /** Why the last run failed and what to do about it; null where it did not. */
  readonly error: string | null;
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
  /** null before the work has reported any progress. */
  readonly percent: number | null;
  readonly eta_seconds: number | null;
}

export type Verdict = "OK" | "WARN" | "FAIL";

/** As it stands in the JSON report of status. */
export interface Finding {
  readonly job: string;
  readonly status: Exclude<Verdict, "OK">;
  /** A word for programs: `failed`, `overdue`, `no-record` … */
  readonly kind: string;
  readonly message: string;
}

export interface Judged {
  readonly job: Job;
  /** What stands in the place of the last run's record. */
  readonly found: RecordFile | undefined;
  /** The record of the last run, wherever it could leave it. */
  readonly record: PastRecord | undefined;
  /** What the last run's result is worth; undefined without a record that can be read. */
  readonly result: Result | undefined;
  /** The mark of the run that is alive. */
  readonly running: RunMark | undefined;
  readonly findings: readonly Finding[];
}

/** What status and doctor look at: local files only. */
export class StatusContext extends Scheduled {
  /** Epoch seconds. */
  readonly now = Math.floor(Date.now() / 1000);

  /** `workers` are the names of the runs, in the order of the table. */
  constructor(
    tool: string,
    readonly workers: readonly string[],
  ) {
    super(tool);
  }
}

/** Bytes of runs at the history's end that are read to see suspicious changes: some hundred. */
const COMPARED_BYTES = 128 * 1024;

/** Every job, in the order of the table. */
export function judgeJobs(view: StatusContext): Judged[] {
  const { workers, schedules, logDir, lockDir } = view;
  // One look at the folder is cheaper than one for each marker that is not there.
  const inLockDir = new Set(pathsIn(lockDir));
  const scheduled = schedules.schedules.map(({ job }) => job);
  const past = runsByJob(readRunsEnd(logDir, COMPARED_BYTES), scheduled, RUNS_COMPARED);
  const since = scheduledSince(view, view.now);
  return workers.map((worker) =>
    judgeJob(worker, scheduleFor(schedules, worker), past.get(worker) ?? [], inLockDir, since, view),
  );
}

function pathsIn(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => `${folder}/${name}`);
  } catch {
    // No such folder, or not ours to see: then no run of ours is alive either.
    return [];
  }
}

/**
 * `schedule` is absent for a job that is not scheduled; `past` are its newest runs, the last one last; `since`: when the
 * schedule began, where that is known.
 */
function judgeJob(
  worker: string,
  schedule: Schedule | undefined,
  past: readonly PastRecord[],
  inLockDir: ReadonlySet<string>,
  since: number | undefined,
  { logDir, lockDir, now, zone }: StatusContext,
): Judged {
  const { found, record, unrecorded } = readLastRun({ logDir, lockDir }, worker);
  const isScheduled = schedule !== undefined;
  const markPath = markerPath(lockDir, worker);
  const mark = inLockDir.has(markPath) ? readMark(markPath) : undefined;
  const running = mark !== undefined && isRunning(mark) ? mark : undefined;
  // Counted from its end: a tick during that run was skipped, and a clock that was set counts from then on. What ended
  // in the future says nothing of when the next is due.
  const counted = [record, ...past.toReversed()].find((run) => run !== undefined && !isAhead(run, now));
  const due =
    schedule?.cron && counted ? judgeDue(schedule.cron, counted.finished_epoch, now, zone) : undefined;
  // While one runs, the next is not late: it would be skipped.
  const isOverdue = due?.isOverdue === true && running === undefined;
  const skips = skipsInARow(lockDir, worker);
  const result = record && judgeResult(record, isScheduled);

  const findings: Finding[] = [];
  const warn = (kind: string, message: string) =>
    findings.push({ job: worker, status: "WARN", kind, message });
  if (schedule?.problem !== undefined) warn("schedule", schedule.problem);
  if (found === undefined && record === undefined && isScheduled && running === undefined) {
    const first =
      schedule.cron && since !== undefined ? judgeDue(schedule.cron, since, now, zone) : undefined;
    // In a new container the first run may be still to come.
    if (first === undefined || first.isOverdue) warn("no-record", noRecord(first?.expected, zone));
  }
  if (found?.problem !== undefined) {
    warn("unreadable", `its record ${found.path} cannot be read: ${found.problem}.`);
  }
  if (unrecorded !== undefined) {
    warn(
      "unrecorded",
      `its last run could not leave its record in ${logDir}: ${unrecorded}. What stands there is of an earlier run. ` +
        "Make room there, and see that it can be written.",
    );
  }
  const ahead = [record, ...past.toReversed()].find((run) => run !== undefined && isAhead(run, now));
  if (ahead !== undefined) warn("future", future(ahead, ahead === record, now, zone));
  if (record !== undefined) {
    // The alerts of a run with a warning say why it is one; any other result is a finding beside them.
    if ((result === "WARN" || result === "FAIL") && !explainsItself(record)) {
      findings.push({ job: worker, status: result, ...describeResult(record, now) });
    }
    for (const { kind, message } of alertsOf(record)) warn(kind, message);
  }
  const missed = record && retentionText(record);
  if (missed !== undefined) warn("retention", missed);
  if (isOverdue) warn("overdue", overdue(due?.expected ?? 0, now, zone));
  if (mark !== undefined && running === undefined) warn("died", died(mark, zone));
  if (skips >= SKIPS_MANY) {
    const why = skipReason(running, `${lockDir}/${worker}.lock`);
    warn("skipped", `it was skipped ${plural(skips, "time")} in a row, ${why}`);
  }
  if (isScheduled) for (const { kind, message } of changesIn(past)) warn(kind, message);

  const at = (epoch: number | undefined) => (epoch === undefined ? null : iso(epoch * 1000, zone));
  return {
    found,
    record,
    result,
    running,
    findings,
    job: {
      job: worker,
      enabled: isScheduled,
      status: record?.status ?? (found === undefined ? "none" : "unreadable"),
      present: found !== undefined,
      exit_code: record?.exit_code ?? null,
      error: typeof record?.error === "string" ? record.error : null,
      age_seconds: record === undefined ? null : now - record.finished_epoch,
      started_at: at(record?.started_epoch),
      finished_at: at(record?.finished_epoch),
      duration_seconds: record?.duration_seconds ?? null,
      expected_at: at(due?.expected),
      overdue: isOverdue,
      skips_in_a_row: skips,
      running: running === undefined ? null : runningJson(running, zone),
    },
  };
}

/** INFO: a person said no, which is neither good nor bad. */
export type Result = Verdict | "INFO";

/**
 * What a run's result is worth. A failure weighs more where a schedule relies on the job; a signal that came when the
 * work had succeeded changes nothing of that. Pure.
 */
export function judgeResult(
  record: Pick<PastRecord, "status" | "exit_code" | "work_exit_code" | "work_status" | "alerts">,
  isScheduled: boolean,
): Result {
  const { status } = record;
  if (status === "cancelled") return "INFO";
  if (status === "warning") return "WARN";
  // Without an alert somebody asked for it, this once.
  if (status === "dry-run") return workAlerts(record).length > 0 ? "WARN" : "INFO";
  if (status === "ok") return "OK";
  if (status === "interrupted") return hasSucceeded(record) ? "OK" : "WARN";
  // A status of a later release that exits 0 is not known to be good.
  if (record.exit_code === 0) return "WARN";
  return isScheduled ? "FAIL" : "WARN";
}

/** `5m ago`. In seconds; a negative age is of a clock that was set back. Pure. */
export const agoText = (age: number): string => (age < 0 ? "in the future" : `${formatDuration(age)} ago`);

/** The alerts that are about the work: a hook that failed changes no result. */
const workAlerts = (record: Pick<PastRecord, "alerts">) =>
  alertsOf(record).filter(({ kind }) => kind !== HOOK_FAILED);

const explainsItself = (record: PastRecord): boolean =>
  ["warning", "dry-run"].includes(record.status) && workAlerts(record).length > 0;

function describeResult(record: PastRecord, now: number): Pick<Finding, "kind" | "message"> {
  const { status, exit_code, finished_epoch } = record;
  const when = agoText(now - finished_epoch);
  const error = typeof record.error === "string" ? withoutExit(record.error).replace(STOPPED, "") : "";
  const end = error === "" ? `(exit ${exit_code}).` : `(exit ${exit_code}): ${inSentence(error)}`;
  if (status === "interrupted")
    return { kind: status, message: `its last run was interrupted ${when} ${end}` };
  if (status === "warning" || exit_code === 0) {
    const what = status === "warning" ? "a warning" : `the status ${status}`;
    return { kind: "warning", message: `its last run, ${when}, ended with ${what} ${end}` };
  }
  const what = status === "timed_out" ? "timed out" : "failed";
  const whole = error === "" ? ` ${what} ${when}` : `, ${when}, ${what}`;
  return { kind: "failed", message: `its last run${whole} ${end}` };
}

/** What `error` begins with after a stop: "was interrupted" says as much. */
const STOPPED = /^Stopped by SIG\w+ before the work (?:began|was done)\. ?/;

/** A sentence after a colon: `The password …` goes on in lower case, a name stays. */
const inSentence = (text: string): string =>
  /^(?:A|[A-Z][a-z]+) /.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;

/** What is still in the way of the runs that were skipped: the end of a sentence. */
function skipReason(running: RunMark | undefined, lockPath: string): string {
  if (running !== undefined) return "because an earlier run is still going on.";
  const lock = inspectLock(lockPath);
  if (lock.state === "held") return `because an earlier run (pid ${lock.pid}) is still going on.`;
  if (lock.state === "orphaned") {
    const names = lock.processes.map(({ name, pid }) => `${name} with pid ${pid}`).join(", ");
    return `because what an earlier run has left running still holds its lock ${lockPath}: ${names}. End it.`;
  }
  if (lock.state === "private") return `and who holds its lock ${lockPath}, only the owner of that can see.`;
  if (isOpenAnywhere(lockPath)) return `because another process holds its lock ${lockPath}.`;
  return "and has not run since. Nothing is in its way any more: the next run ends this.";
}

function future(
  { started_epoch, finished_epoch }: PastRecord,
  isLast: boolean,
  now: number,
  zone: Zone,
): string {
  const hasBegun = !isAhead({ started_epoch, finished_epoch: 0 }, now);
  const [what, epoch] = hasBegun ? ["ended", finished_epoch] : ["began", started_epoch];
  const which = isLast ? "its last run" : "a run before its last one";
  return `${which} ${what} at ${stamp(epoch * 1000, zone)}, which is still to come. Was the clock set back?`;
}

function noRecord(expected: number | undefined, zone: Zone): string {
  const when =
    expected === undefined ? "" : ` Its first run was expected at ${stamp(expected * 1000, zone)}.`;
  return `it is scheduled, but has left no record yet.${when}`;
}

function overdue(expected: number, now: number, zone: Zone): string {
  const late = formatDuration(now - expected);
  return `its next run was expected at ${stamp(expected * 1000, zone)}, ${late} ago. Does crond run?`;
}

function died({ run_id, pid, started_epoch, phase }: RunMark, zone: Zone): string {
  return (
    `run ${run_id} died without a record: pid ${pid}, started ${stamp(started_epoch * 1000, zone)}, last seen in ` +
    `phase ${phase}. restic may have left its lock in the repository; unlock removes it.`
  );
}

/** In a row from which on it is a finding of its own: the first says so by its result or its alert. */
const RETENTION_MISSED = 2;

function retentionText({
  retention_missed,
  retention_withheld,
  forget_exit_code,
}: PastRecord): string | undefined {
  if (typeof retention_missed !== "number" || retention_missed < RETENTION_MISSED) return undefined;
  const why =
    typeof retention_withheld === "string"
      ? ` The last time: ${retention_withheld}`
      : typeof forget_exit_code === "number" && forget_exit_code !== 0
        ? ` The last time restic forget ended with exit ${forget_exit_code}.`
        : "";
  return `its retention policy was not applied ${plural(retention_missed, "run")} in a row, so that old snapshots stay.${why}`;
}

function runningJson(
  { run_id, pid, phase, started_epoch, percent, eta_seconds }: RunMark,
  zone: Zone,
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

/** The worst of them. */
export function worstVerdict(findings: readonly Finding[]): Verdict {
  if (findings.some(({ status }) => status === "FAIL")) return "FAIL";
  return findings.length > 0 ? "WARN" : "OK";
}
