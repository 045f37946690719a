/**
 * `LOCK_DIR/<job>.skips`: how many runs in a row were skipped because the run before them was still active. Each skip
 * appends one line, which the kernel does atomically, so fifty at once are counted as fifty. The next run that gets the
 * lock removes the lines that were there before it.
 */

import { appendFileSync, readFileSync, rmSync, statSync } from "node:fs";

/** All lines are as long as this one, so the size of the file says how many there are. */
const LINE_BYTES = "2026-05-11 09:00:00\n".length;

const pathOf = (lockDir: string, job: string) => `${lockDir}/${job}.skips`;

/** From this many in a row on, skips are a warning. */
export const SKIPS_MANY = 3;

/** Adds one skip, at the time `stamp`, and returns how many there are in a row; 1 where it cannot be written. */
export function countSkip(lockDir: string, job: string, stamp: string): number {
  const path = pathOf(lockDir, job);
  try {
    appendFileSync(path, `${stamp}\n`);
    return Math.max(1, skipsInARow(lockDir, job));
  } catch {
    // LOCK_DIR is full or read-only: the skip itself is logged all the same.
    return 1;
  }
}

/** How many there are in a row by now; 0 where that cannot be read. */
export function skipsInARow(lockDir: string, job: string): number {
  try {
    return Math.round((statSync(pathOf(lockDir, job), { throwIfNoEntry: false })?.size ?? 0) / LINE_BYTES);
  } catch {
    // LOCK_DIR is not a folder, or we may not enter it: taking the lock there fails next, and says so.
    return 0;
  }
}

/**
 * Forgets the skips before this run. `before` is how many there were when it asked for its lock; later ones were
 * skipped because of this very run, and remain.
 */
export function forgetSkips(lockDir: string, job: string, before: number): void {
  if (before === 0) return;
  const path = pathOf(lockDir, job);
  try {
    const since = readFileSync(path, "latin1").slice(before * LINE_BYTES);
    rmSync(path, { force: true });
    if (since !== "") appendFileSync(path, since);
  } catch {
    // LOCK_DIR is full or read-only, or somebody removed the file: the count may be wrong, and the run goes on.
  }
}
