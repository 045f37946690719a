/** Suspicious changes between runs that all succeeded: a source that is gone, a run that takes much longer. Pure. */

import { formatDuration, plural } from "../text.ts";
import { hasSucceeded, numericField, type PastRecord } from "./record.ts";

export interface Change {
  readonly kind: "fewer-files" | "slow" | "nothing-new" | "incomplete";
  readonly message: string;
}

/** The last run is compared with this many before it. */
const BEFORE_MOST = 10;
/** A median of fewer durations than this means nothing. */
const DURATIONS_LEAST = 3;
const SLOWER = 5;
/** Seconds; a short run easily takes five times as long as another one. */
const SLOWER_SECONDS = 10;
const QUIET_RUNS = 10;
/** Runs before the quiet ones, each of which must have found new or changed files: the source used to change. */
const LIVELY_LEAST = 3;
/** The newest runs of a job that are needed for all of this. */
export const RUNS_COMPARED = 30;

/** `runs` of one job, the newest last; failed ones do not count. */
export function changesIn(runs: readonly PastRecord[]): Change[] {
  const good = runs.filter((run) => hasSucceeded(run) || run.status === "warning");
  const last = good.at(-1);
  if (last === undefined) return [];
  // What is usual is learned from good runs alone: a warning must not fade by repetition.
  const before = good.slice(0, -1).filter(hasSucceeded).slice(-BEFORE_MOST);
  return [fewerFiles(last, before), incomplete(runs), slow(last, before), nothingNew(good)].filter(
    (each) => each !== undefined,
  );
}

function fewerFiles(last: PastRecord, before: readonly PastRecord[]): Change | undefined {
  // Such a run has compared itself with the last good one, by the operator's own bound.
  if (last.usual_files !== undefined) return undefined;
  const files = numericField(last, "total_files_processed");
  const usual = median(before.map((run) => numericField(run, "total_files_processed")).filter(isNumber));
  if (files === undefined || usual === undefined || files * 2 >= usual) return undefined;
  const message =
    `it processed ${plural(files, "file")}; the ${runsText(before)} before processed ${usual} (median). ` +
    "Is a part of the source not mounted?";
  return { kind: "fewer-files", message };
}

/** Runs in a row that could not read all: what they do not read is never saved, and retention is withheld. */
function incomplete(runs: readonly PastRecord[]): Change | undefined {
  const isIncomplete = ({ status, unreadable_count }: PastRecord) =>
    status === "warning" && Boolean(unreadable_count);
  const others = runs.findLastIndex((run) => !isIncomplete(run));
  const count = runs.length - 1 - others;
  const last = runs.at(-1);
  if (last === undefined || count < 2) return undefined;
  const { unreadable_paths, unreadable_count } = last;
  const [first = "a file"] = Array.isArray(unreadable_paths) ? unreadable_paths : [];
  const more = Number(unreadable_count) - 1;
  const what = `${first}${more > 0 ? ` and ${more} more` : ""}`;
  const message =
    `its last ${plural(count, "run")} could not read ${what}, and applied no retention policy. Give backup access to it, or leave ` +
    "it out with --exclude in RESTIC_JOB_ARGS.";
  return { kind: "incomplete", message };
}

function slow(last: PastRecord, before: readonly PastRecord[]): Change | undefined {
  const usual = median(before.map((run) => run.duration_seconds));
  if (usual === undefined || before.length < DURATIONS_LEAST) return undefined;
  const took = last.duration_seconds;
  if (took <= usual * SLOWER || took - usual < SLOWER_SECONDS) return undefined;
  const message =
    `it took ${formatDuration(took)}; the ${runsText(before)} before took ${formatDuration(usual)} (median). ` +
    "Is the repository slow, or has the source grown?";
  return { kind: "slow", message };
}

function nothingNew(good: readonly PastRecord[]): Change | undefined {
  const news = good.map(newFilesOf);
  const quiet = news.slice(-QUIET_RUNS);
  const lively = news.slice(0, -QUIET_RUNS);
  if (quiet.length < QUIET_RUNS || lively.length < LIVELY_LEAST) return undefined;
  if (quiet.some((count) => count !== 0) || lively.some((count) => !count)) return undefined;
  const message =
    `no file was new or changed in its last ${QUIET_RUNS} runs; in each of the ${lively.length} before there were ` +
    `some (${median(lively.filter(isNumber))}, median). Does the source still live where it is looked for?`;
  return { kind: "nothing-new", message };
}

/** undefined for a run whose record counts no files. */
function newFilesOf(run: PastRecord): number | undefined {
  const [fresh, changed] = [numericField(run, "files_new"), numericField(run, "files_changed")];
  return fresh === undefined && changed === undefined ? undefined : (fresh ?? 0) + (changed ?? 0);
}

const isNumber = (value: number | undefined): value is number => value !== undefined;

/** The middle value, or the higher of the two in the middle; undefined for an empty list. */
function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

const runsText = ({ length }: readonly unknown[]): string => (length === 1 ? "run" : `${length} runs`);
