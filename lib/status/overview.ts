/** status as text for people: the overview, and the last runs as a table with sparklines of their figures. Pure. */

import { parseJobName } from "../state/history.ts";
import { agoText, type Finding, type Job, type Verdict } from "../state/jobs.ts";
import { numericField, type PastRecord, parseRecord, SKIPS } from "../state/record.ts";
import { formatBytes, formatDuration, plural, singleLine, tableLines } from "../text.ts";
import { stamp, type Zone } from "../time/zone.ts";

const COLOUR: Readonly<Record<Verdict, string>> = { OK: "\x1b[32m", WARN: "\x1b[33m", FAIL: "\x1b[31m" };
const RESET = "\x1b[0m";
const TAG_WIDTH = 6;
const HEADS = ["JOB", "LAST RUN", "RESULT", "TOOK", "ENDED", "NEXT"];

export interface Overview {
  readonly verdict: Verdict;
  readonly hostname: string;
  readonly now: number;
  readonly zone: Zone;
  readonly jobs: readonly Shown[];
  readonly findings: readonly Finding[];
}

/** A job with its times as epoch seconds. */
export interface Shown {
  readonly job: Job;
  readonly started: number | undefined;
  readonly next: number | undefined;
}

export function formatOverview(
  { verdict, hostname, now, zone, jobs, findings }: Overview,
  colour: boolean,
): string {
  const tag = (status: Verdict) => {
    const text = status.padEnd(TAG_WIDTH);
    return colour ? `${COLOUR[status]}${text}${RESET}` : text;
  };
  const findingsText = findings.length === 0 ? "" : `, ${plural(findings.length, "finding")}`;
  const lines = [
    `${tag(verdict)}${singleLine(hostname)}, ${stamp(now * 1000, zone)}${findingsText}`,
    "",
    ...tableLines([HEADS, ...jobs.map((each) => row(each, zone))]),
    ...jobs.flatMap(({ job }) => formatRunning(job)),
    ...findings.map(({ status, job, message }) => `${tag(status)}${oneLine(`${job}: ${message}`)}`),
  ];
  // An empty line after the table, when something follows.
  const rows = 2 + 1 + jobs.length;
  if (lines.length > rows) lines.splice(rows, 0, "");
  return lines.map((line) => `${line}\n`).join("");
}

function row({ job, started, next }: Shown, zone: Zone): string[] {
  const at = (epoch: number | undefined) => (epoch === undefined ? "-" : stamp(epoch * 1000, zone));
  const code = job.exit_code === null || job.exit_code === 0 ? "" : ` ${job.exit_code}`;
  return [
    singleLine(job.job),
    at(started),
    singleLine(`${job.status}${code}`),
    job.duration_seconds === null ? "-" : formatDuration(job.duration_seconds),
    job.age_seconds === null ? "-" : agoText(job.age_seconds),
    job.enabled ? at(next) : "not scheduled",
  ];
}

function formatRunning({ job, running }: Job): string[] {
  if (running === null) return [];
  const { percent, eta_seconds, phase, pid, started_at } = running;
  const done = percent === null ? "" : `${percent}% done, `;
  const left = eta_seconds === null ? "" : `${formatDuration(eta_seconds)} left, `;
  return [
    `${"NOW".padEnd(TAG_WIDTH)}${singleLine(`${job}: running, ${done}${left}since ${started_at}, phase ${phase}, pid ${pid}`)}`,
  ];
}

/** The text of a record must not look like a line of ours. */
const oneLine = (text: string): string => singleLine(text.replace(/\s+/g, " "));

/** A screen of runs. */
const SHOWN_MOST = 20;
const HISTORY_HEADS = ["START", "JOB", "DURATION", "RESULT", "DATA ADDED", "HOOKS"];

export interface Past {
  readonly job: string;
  /** Of skips in a row the last. */
  readonly run: PastRecord;
  /** How many skips in a row it stands for. */
  readonly times: number;
}

/**
 * The newest runs of a worker, or of all; the last one last. Skips in a row are one of them: a run that hangs must not
 * hide those before it. `lines` are those of the history.
 */
export function lastRuns(lines: readonly string[], worker: string | undefined): Past[] {
  const past: Past[] = [];
  /** The skips of each job that no run of it has followed yet. */
  const open = new Map<string, number>();
  for (let at = lines.length - 1; at >= 0 && past.length < SHOWN_MOST; at--) {
    const line = lines[at] ?? "";
    const job = parseJobName(line);
    if (job === undefined || (worker !== undefined && job !== worker)) continue;
    const run = parseRecord(line);
    if (run === undefined) continue;
    const isSkip = isSkipped(run);
    const place = isSkip ? open.get(job) : undefined;
    if (place === undefined) past.push({ job, run, times: 1 });
    else {
      const last = past[place];
      if (last !== undefined) past[place] = { ...last, times: last.times + 1 };
    }
    if (!isSkip) open.delete(job);
    else if (place === undefined) open.set(job, past.length - 1);
  }
  return past.reverse();
}

export function formatHistory(past: readonly Past[], zone: Zone): string {
  const rows = past.map(({ job, run, times }) => [
    stamp(run.started_epoch * 1000, zone),
    job,
    isRun(run) ? formatDuration(run.duration_seconds) : "-",
    times === 1 ? formatResult(run) : `${formatResult(run)} ${plural(times, "time")}`,
    formatBytesField(run, "data_added_bytes"),
    formatHooks(run),
  ]);
  const table = tableLines([HISTORY_HEADS, ...rows]);
  const jobs = [...new Set(past.map(({ job }) => job))];
  const drawn = jobs.flatMap((job) =>
    drawCurves(
      job,
      past.filter((each) => each.job === job).map(({ run }) => run),
    ),
  );
  const lines = [...table, ...(drawn.length > 0 ? ["", ...tableLines(drawn)] : [])];
  return lines.map((line) => `${singleLine(line)}\n`).join("");
}

/** Duration, data added and size, each with its range; nothing for a job that ran only once. */
function drawCurves(job: string, runs: readonly PastRecord[]): string[][] {
  const real = runs.filter(isRun);
  const curves: [name: string, text: (value: number) => string, field: string][] = [
    ["duration", formatDuration, "duration_seconds"],
    ["data added", formatBytes, "data_added_bytes"],
    ["size", formatBytes, "total_bytes_processed"],
  ];
  return curves.flatMap(([name, text, field]) => {
    const values = real.map((run) => numericField(run, field));
    const known = values.filter((value) => value !== undefined);
    if (known.length < 2) return [];
    const range = `${text(Math.min(...known))} to ${text(Math.max(...known))}`;
    return [[job, name, sparkline(values), range]];
  });
}

/** A skip did nothing, and when a dead run ended is not known. */
const isRun = (run: PastRecord): boolean => !isSkipped(run) && run.status !== "died";

const SKIPPED: readonly string[] = SKIPS;
const isSkipped = ({ status }: PastRecord): boolean => SKIPPED.includes(status);

function formatResult(run: PastRecord): string {
  return isRun(run) && run.exit_code !== 0 ? `${run.status} ${run.exit_code}` : run.status;
}

function formatBytesField(run: PastRecord, field: string): string {
  const value = numericField(run, field);
  return value === undefined ? "-" : formatBytes(value);
}

interface HookSeen {
  readonly exit_code?: unknown;
  readonly timed_out?: unknown;
}

/** `2 ok`, `1 of 2 failed`, `1 of 2 timed out`, `-`. */
function formatHooks({ hooks }: PastRecord): string {
  const listed: readonly unknown[] = Array.isArray(hooks) ? hooks : [];
  const all = listed.filter((hook) => typeof hook === "object" && hook !== null) as readonly HookSeen[];
  if (all.length === 0) return "-";
  const late = all.filter((hook) => hook.timed_out === true).length;
  const failed = all.filter((hook) => hook.exit_code !== 0).length;
  if (failed === 0) return `${all.length} ok`;
  return late === failed ? `${late} of ${all.length} timed out` : `${failed} of ${all.length} failed`;
}

const BARS = "▁▂▃▄▅▆▇█";

/** A sparkline: one bar for each value, its height from 0 to the largest; a blank for undefined. */
export function sparkline(values: readonly (number | undefined)[]): string {
  const most = Math.max(0, ...values.map((value) => value ?? 0));
  return values
    .map((value) => {
      if (value === undefined) return " ";
      const step = most === 0 ? 0 : Math.round((Math.max(0, value) / most) * (BARS.length - 1));
      return BARS.charAt(step);
    })
    .join("");
}
