/** Kubernetes shows what a container wrote to /dev/termination-log in its status. */

import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";

const PATH = "/dev/termination-log";
/** Kubernetes cuts a message there (its documentation, "Customizing the termination message"). */
const MOST_BYTES = 4096;

/** Leaves one line there; does nothing where the file is not there already, which is everywhere else. */
export function leaveLastWords(text: string): void {
  try {
    const fd = openSync(PATH, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!fstatSync(fd).isFile()) return;
      ftruncateSync(fd, 0);
      writeSync(fd, Buffer.from(`${text}\n`).subarray(0, MOST_BYTES));
    } finally {
      closeSync(fd);
    }
  } catch {
    // No Kubernetes, or not ours to write: the log says the same.
  }
}
