/** The last runs as a table, with a line that draws how they developed. Pure. */

import { formatDuration } from "../duration.ts";
import { formatBytes } from "../size.ts";
import { tableLines } from "../table.ts";
import { stamp } from "../time/format.ts";
import type { Zone } from "../time/zone.ts";
import { visible } from "../visible.ts";
import { jobOf } from "./past.ts";
import { type Kept, keptIn } from "./record.ts";
import { sparkline } from "./sparkline.ts";

/** Runs that are shown: a screen of them. */
const SHOWN_MOST = 20;
const HEADS = ["START", "JOB", "DURATION", "RESULT", "DATA ADDED", "HOOKS"];

export interface Past {
  readonly job: string;
  readonly run: Kept;
}

/** The newest runs of a worker, or of all; the last one last. `lines` are those of the history. */
export function lastRuns(lines: readonly string[], worker: string | undefined): Past[] {
  const past: Past[] = [];
  for (let at = lines.length - 1; at >= 0 && past.length < SHOWN_MOST; at--) {
    const line = lines[at] ?? "";
    const job = jobOf(line);
    if (job === undefined || (worker !== undefined && job !== worker)) continue;
    const run = keptIn(line);
    if (run !== undefined) past.push({ job, run });
  }
  return past.reverse();
}

export function historyText(past: readonly Past[], zone: Zone): string {
  const rows = past.map(({ job, run }) => [
    stamp(run.started_epoch * 1000, zone),
    job,
    isRun(run) ? formatDuration(run.duration_seconds) : "-",
    resultOf(run),
    bytesText(run, "data_added_bytes"),
    hooksOf(run),
  ]);
  const table = tableLines([HEADS, ...rows]);
  const jobs = [...new Set(past.map(({ job }) => job))];
  const drawn = jobs.flatMap((job) =>
    curvesOf(
      job,
      past.filter((each) => each.job === job).map(({ run }) => run),
    ),
  );
  const lines = [...table, ...(drawn.length > 0 ? ["", ...tableLines(drawn)] : [])];
  return lines.map((line) => `${visible(line)}\n`).join("");
}

/** Duration, added and size, each with its range; nothing of a job that ran only once. */
function curvesOf(job: string, runs: readonly Kept[]): string[][] {
  const real = runs.filter(isRun);
  const curves: [name: string, text: (value: number) => string, field: string][] = [
    ["duration", formatDuration, "duration_seconds"],
    ["data added", formatBytes, "data_added_bytes"],
    ["size", formatBytes, "total_bytes_processed"],
  ];
  return curves.flatMap(([name, text, field]) => {
    const values = real.map((run) => numberOf(run, field));
    const known = values.filter((value) => value !== undefined);
    if (known.length < 2) return [];
    const range = `${text(Math.min(...known))} to ${text(Math.max(...known))}`;
    return [[job, name, sparkline(values), range]];
  });
}

/** A skip did nothing, and of a run that died nobody knows when. */
const isRun = ({ status }: Kept): boolean => status !== "skipped" && status !== "died";

function resultOf(run: Kept): string {
  return isRun(run) && run.exit_code !== 0 ? `${run.status} ${run.exit_code}` : run.status;
}

function bytesText(run: Kept, field: string): string {
  const value = numberOf(run, field);
  return value === undefined ? "-" : formatBytes(value);
}

interface HookSeen {
  readonly exit_code?: unknown;
  readonly timed_out?: unknown;
}

/** `2 ok`, `1 of 2 failed`, `1 of 2 timed out`, `-`. */
function hooksOf({ hooks }: Kept): string {
  const listed: readonly unknown[] = Array.isArray(hooks) ? hooks : [];
  const all = listed.filter((hook) => typeof hook === "object" && hook !== null) as readonly HookSeen[];
  if (all.length === 0) return "-";
  const late = all.filter((hook) => hook.timed_out === true).length;
  const failed = all.filter((hook) => hook.exit_code !== 0).length;
  if (failed === 0) return `${all.length} ok`;
  return late === failed ? `${late} of ${all.length} timed out` : `${failed} of ${all.length} failed`;
}

function numberOf(run: Kept, field: string): number | undefined {
  const value = run[field];
  return typeof value === "number" ? value : undefined;
}
