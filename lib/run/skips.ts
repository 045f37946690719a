/**
 * Counts the runs that were skipped one after another because the run before them still went on. Each skip
 * appends one line, which the kernel does atomically, so fifty at once are fifty; the next run that gets the
 * lock starts anew.
 */

import { appendFileSync, rmSync, statSync } from "node:fs";

const pathOf = (lockDir: string, job: string) => `${lockDir}/${job}.skips`;

/** Notes one more and returns how many there have been in a row; 1 where it cannot be noted. */
export function countSkip(lockDir: string, job: string, stamp: string): number {
  const path = pathOf(lockDir, job);
  const line = `${stamp}\n`;
  try {
    appendFileSync(path, line);
    return Math.max(1, Math.round(statSync(path).size / line.length));
  } catch {
    // A full or read-only LOCK_DIR: the skip itself is logged all the same.
    return 1;
  }
}

/** How many there have been in a row until now. Stamps have one length, so the size tells. */
export function skipsSoFar(lockDir: string, job: string): number {
  try {
    const { size } = statSync(pathOf(lockDir, job));
    return Math.round(size / "2026-05-11 09:00:00\n".length);
  } catch {
    // There have been none, or LOCK_DIR cannot be looked at and nobody could have noted one.
    return 0;
  }
}

export function forgetSkips(lockDir: string, job: string): void {
  rmSync(pathOf(lockDir, job), { force: true });
}
