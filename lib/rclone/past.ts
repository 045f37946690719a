/** What earlier runs of replicate came to with one pair of folders: from the last record and the history. */

import { maskRemote } from "../mask.ts";
import type { Run } from "../run/run.ts";
import { readHistoryEnd } from "../state/history.ts";
import { lastFields, parseRecord } from "../state/record.ts";
import type { JobRow } from "./rows.ts";

/** Bytes of the history's end that are read: a thousand runs with some rows each. */
const HISTORY_BYTES = 4 * 1024 * 1024;

/** A row of a record, as far as it is used here; another release may have written it. */
export interface PastRow {
  readonly source?: unknown;
  readonly destination?: unknown;
  readonly mode?: unknown;
  readonly exit_code?: unknown;
  readonly deletes?: unknown;
  readonly files?: unknown;
  readonly destination_files?: unknown;
  readonly dry_run?: unknown;
}

export interface Past {
  /** Has a run worked on this pair, whatever it came to? */
  readonly isKnown: boolean;
  /** Has a run finished with it, and left files there, as far as records tell? */
  readonly hadFiles: boolean;
  /** Has the last run that began with it come to no good end? */
  readonly isUnfinished: boolean;
  /** Files that the last good run left at the destination; undefined when no record tells. */
  readonly files: number | undefined;
  /** Files that runs have deleted since then. rclone 1.60 counts those too that it did not dare to delete. */
  readonly deletedSince: number;
}

/** `all`: the rows of this pair, the newest first. `hasDied`: a run died after the newest of them. Pure. */
export function judgePast(all: readonly PastRow[], hasDied = false): Past {
  const rows = all.filter(({ dry_run }) => dry_run !== true);
  const isGood = ({ exit_code }: PastRow) => exit_code === 0;
  const good = rows.findIndex(isGood);
  // What shows, the newest first, whether there were files: some that were transferred, or a count.
  const shown = rows
    .filter(isGood)
    .flatMap(({ files, destination_files: left }) => [left, files === 0 ? undefined : files])
    .find((number) => typeof number === "number");
  const since = good < 0 ? rows : rows.slice(0, good);
  const files = rows[good]?.destination_files;
  return {
    isKnown: rows.length > 0,
    hadFiles: good >= 0 && shown !== 0,
    isUnfinished: hasDied || (rows.length > 0 && good !== 0),
    files: typeof files === "number" ? files : undefined,
    deletedSince: since.reduce(
      (sum, { deletes }) => sum + (typeof deletes === "number" ? Math.max(0, deletes) : 0),
      0,
    ),
  };
}

export function findPast({ context }: Run, { source, destination, mode }: JobRow): Past {
  const { logDir, mask, identity } = context;
  const shown = { source: mask(maskRemote(source)), destination: mask(maskRemote(destination)) };
  const inHistory = readHistoryEnd(logDir, HISTORY_BYTES)
    .filter((line) => line.includes(`"job":"${identity.job}"`))
    .map((line) => parseRecord(line) ?? {})
    .reverse();
  const last = lastFields(context, identity.job);
  const records: readonly Readonly<Record<string, unknown>>[] = inHistory.some(
    (record) => "run_id" in record && record.run_id === last.run_id,
  )
    ? inHistory
    : [last, ...inHistory];
  const rowsOf = ({ replicate_jobs }: Readonly<Record<string, unknown>>) =>
    (Array.isArray(replicate_jobs) ? (replicate_jobs as PastRow[]) : []).filter(
      (row) =>
        row !== null &&
        row.source === shown.source &&
        row.destination === shown.destination &&
        row.mode === mode,
    );
  // A run that died has left no rows, so it may have been at work on this pair.
  const newest = records.find((record) => record.status === "died" || rowsOf(record).length > 0);
  return judgePast(records.flatMap(rowsOf), newest?.status === "died");
}
