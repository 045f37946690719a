/** Files that are either the old ones or the new ones, never half of one. */

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { errnoOf } from "./errors.ts";

export interface WriteOptions {
  /** Permission bits of the new file. */
  readonly mode?: number;
  /** Force it to the disk before it takes the old one's place. Default: true. */
  readonly durable?: boolean;
}

/**
 * Writes `text` to a temporary file beside `path` and renames it. On any failure the old file stands as it
 * was, the temporary one is gone, and the error is thrown.
 */
export function replaceFile(
  path: string,
  text: string,
  { mode = 0o644, durable = true }: WriteOptions = {},
): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const fd = openSync(temporary, "w", mode);
    try {
      writeFileSync(fd, text);
      if (durable) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** The file's text, or undefined when there is none. Other errors are thrown. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
