/** Which process has a lock, by /proc. */

import { statSync } from "node:fs";

/** Has the process inherited this lock file as its descriptor 3? */
export function hasLocked(pid: number, path: string): boolean {
  try {
    return statSync(`/proc/${pid}/fd/3`).ino === statSync(path).ino;
  } catch {
    // It has exited, or has no descriptor 3.
    return false;
  }
}
