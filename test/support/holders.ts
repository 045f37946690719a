/** Which process has a lock, by /proc. */

import { statSync } from "node:fs";

/** Has it inherited this lock file as its 3? */
export function hasLocked(pid: number, path: string): boolean {
  try {
    return statSync(`/proc/${pid}/fd/3`).ino === statSync(path).ino;
  } catch {
    // It has ended, or has no 3.
    return false;
  }
}
