/** `LOG_DIR/history.jsonl`: a line for every run, skip and death. */

import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";

export const historyPath = (logDir: string): string => `${logDir}/history.jsonl`;

/** Appends one object as one line with one write, so that lines of several processes never mix. */
export function appendHistory(logDir: string, entry: object): void {
  const fd = openSync(historyPath(logDir), "a", 0o644);
  try {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    const written = writeSync(fd, line);
    if (written < line.length) takeBack(fd, written);
  } finally {
    closeSync(fd);
  }
}

/** The disk had room for a part only, which would spoil the next line too. Throws ENOSPC. */
function takeBack(fd: number, written: number): never {
  ftruncateSync(fd, fstatSync(fd).size - written);
  throw Object.assign(new Error("no space for the whole line"), { code: "ENOSPC" });
}
