/** The last lines of a file, however long the file is. */

import { readSync } from "node:fs";
import { withRegularFile } from "./files.ts";

const CHUNK_BYTES = 64 * 1024;

export interface Tail {
  /** Complete lines, the last one last. A line that the limit cut off is left out. */
  readonly lines: readonly string[];
  /** Bytes of the whole file. */
  readonly size: number;
}

/**
 * The last `most` lines of a regular file, read backwards from its end and never more than `mostBytes` of it.
 * Throws the errors of open(2) and read(2), and an Error for what is not a regular file.
 */
export function lastLines(path: string, most: number, mostBytes: number): Tail {
  return withRegularFile(path, (fd, size) => {
    const chunks: Buffer[] = [];
    let from = size;
    let breaks = 0;
    // One newline more than lines: the one before the first of them. The file usually ends in one, too.
    while (from > 0 && size - from < mostBytes && breaks <= most) {
      const length = Math.min(CHUNK_BYTES, from, mostBytes - (size - from));
      from -= length;
      const chunk = Buffer.alloc(length);
      const read = readSync(fd, chunk, 0, length, from);
      chunks.unshift(chunk.subarray(0, read));
      breaks += countBreaks(chunk.subarray(0, read));
    }
    const lines = Buffer.concat(chunks).toString("utf8").split("\n");
    if (lines.at(-1) === "") lines.pop();
    if (from > 0) lines.shift();
    return { lines: lines.slice(-most), size };
  });
}

function countBreaks(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}
