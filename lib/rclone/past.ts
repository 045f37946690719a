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
  readonly destination_files?: unknown;
}

export interface Past {
  /** Has a run worked on this pair, whatever it came to? */
  readonly isKnown: boolean;
  /** Has a run finished with it? */
  readonly hasFinished: boolean;
  /** Files that the last good run left at the destination; undefined when no record tells. */
  readonly files: number | undefined;
  /** Files that runs have deleted since then. rclone 1.60 counts those too that it did not dare to delete. */
  readonly deletedSince: number;
}

/** `rows`: those of this pair, the newest first. Pure. */
export function judgePast(rows: readonly PastRow[]): Past {
  const good = rows.findIndex(({ exit_code }) => exit_code === 0);
  const since = good < 0 ? rows : rows.slice(0, good);
  const files = rows[good]?.destination_files;
  return {
    isKnown: rows.length > 0,
    hasFinished: good >= 0,
    files: typeof files === "number" ? files : undefined,
    deletedSince: since.reduce(
      (sum, { deletes }) => sum + (typeof deletes === "number" ? Math.max(0, deletes) : 0),
      0,
    ),
  };
}

export function pastOf({ context }: Run, { source, destination, mode }: JobRow): Past {
  const { logDir, mask, identity } = context;
  const shown = { source: mask(maskRemote(source)), destination: mask(maskRemote(destination)) };
  const inHistory = readHistoryEnd(logDir, HISTORY_BYTES)
    .filter((line) => line.includes(`"job":"${identity.job}"`))
    .map((line) => parseRecord(line) ?? {})
    .reverse();
  const last = lastFields(logDir, identity.job);
  const records: readonly Readonly<Record<string, unknown>>[] = inHistory.some(
    (record) => "run_id" in record && record.run_id === last.run_id,
  )
    ? inHistory
    : [last, ...inHistory];
  const rows = records.flatMap(({ replicate_jobs }) =>
    Array.isArray(replicate_jobs) ? (replicate_jobs as PastRow[]) : [],
  );
  return judgePast(
    rows.filter(
      (row) =>
        row !== null &&
        row.source === shown.source &&
        row.destination === shown.destination &&
        row.mode === mode,
    ),
  );
}
