/**
 * Counts the runs that were skipped one after another because the run before them still went on. Each skip
 * appends one line, which the kernel does atomically, so fifty at once are fifty; the next run that gets the
 * lock begins anew.
 */

import { appendFileSync, readFileSync, rmSync, statSync } from "node:fs";

/** All lines are as long as this one, so the size of the file tells how many there are. */
const LINE_BYTES = "2026-05-11 09:00:00\n".length;

const pathOf = (lockDir: string, job: string) => `${lockDir}/${job}.skips`;

/** So many in a row are no accident any more (workers.md, status). */
export const SKIPS_MANY = 3;

/** Notes one more and returns how many there have been in a row; 1 where it cannot be noted. */
export function countSkip(lockDir: string, job: string, stamp: string): number {
  const path = pathOf(lockDir, job);
  try {
    appendFileSync(path, `${stamp}\n`);
    return Math.max(1, skipsInARow(lockDir, job));
  } catch {
    // A full or read-only LOCK_DIR: the skip itself is logged all the same.
    return 1;
  }
}

/** How many there have been in a row until now. */
export function skipsInARow(lockDir: string, job: string): number {
  try {
    return Math.round((statSync(pathOf(lockDir, job), { throwIfNoEntry: false })?.size ?? 0) / LINE_BYTES);
  } catch {
    // LOCK_DIR is no folder, or closed to us: the lock, which is taken there, will say so.
    return 0;
  }
}

/**
 * A run begins: forgets the skips before it. `before` is how many there were when it asked for its lock;
 * whatever came since then was skipped because of this very run.
 */
export function forgetSkips(lockDir: string, job: string, before: number): void {
  if (before === 0) return;
  const path = pathOf(lockDir, job);
  try {
    const since = readFileSync(path, "latin1").slice(before * LINE_BYTES);
    rmSync(path, { force: true });
    if (since !== "") appendFileSync(path, since);
  } catch {
    // A full or read-only LOCK_DIR, or somebody took the file away: a count may be off, the run goes on.
  }
}
