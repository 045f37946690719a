/** The newest runs of each job, from the history. */

import { newestOfHistory } from "../run/history.ts";
import { type Kept, keptIn } from "./record.ts";

/** The newest runs, at most `most` of each of these jobs, the last one last. `lines` are those of the history. */
export function pastRuns(
  lines: readonly string[],
  jobs: readonly string[],
  most: number,
): ReadonlyMap<string, readonly Kept[]> {
  const runs = new Map<string, Kept[]>(jobs.map((job) => [job, []]));
  // Backwards, and parsed only where wanted: JSON of a thousand lines costs more than all the rest.
  for (let at = lines.length - 1; at >= 0; at--) {
    const line = lines[at] ?? "";
    const of = runs.get(jobOf(line) ?? "");
    if (of === undefined || of.length >= most) continue;
    const run = keptIn(line);
    if (run !== undefined) of.push(run);
  }
  for (const of of runs.values()) of.reverse();
  return runs;
}

/** The history's end, as much of it as `bytes` hold. */
export const historyEnd = (logDir: string, bytes: number): readonly string[] =>
  newestOfHistory(logDir, Number.POSITIVE_INFINITY, bytes);

/** The first thing that looks like the job: a record's own field stands before all that could imitate it. */
export function jobOf(line: string): string | undefined {
  return /"job":"([^"\\]*)"/.exec(line)?.[1];
}
