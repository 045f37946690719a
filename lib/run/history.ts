/** `LOG_DIR/history.jsonl`: a line for every run, skip and death. */

import { closeSync, openSync, writeSync } from "node:fs";

/** Appends one object as one line with one write, so that lines of several processes never mix. */
export function appendHistory(logDir: string, entry: object): void {
  const fd = openSync(`${logDir}/history.jsonl`, "a", 0o644);
  try {
    writeSync(fd, `${JSON.stringify(entry)}\n`);
  } finally {
    closeSync(fd);
  }
}
