/**
 * Where a recovery keeps what it replaces. Beside a local folder, in one of the same file system; in the same folder
 * of a remote, under the file's own name with a suffix: what stands above a remote's path may be a bucket, a share of
 * another disk, or not ours to write to.
 */

import { accessSync, constants, statSync } from "node:fs";
import { valueOfFlag } from "./args.ts";

export interface Aside {
  /** For `rclone copy`. */
  readonly words: readonly string[];
  /** The folder in which the kept files lie; may hold credentials. */
  readonly folder: string;
  /** What their names end in. */
  readonly suffix: string;
}

/**
 * `stamp`: the same for all that one run keeps. undefined where the operator's own words say --backup-dir or --suffix:
 * they decide then.
 */
export function asideOf(side: string, stamp: string, words: readonly string[]): Aside | undefined {
  if (["backup-dir", "suffix"].some((flag) => valueOfFlag(words, flag) !== undefined)) return undefined;
  const suffix = `.kept-${stamp}`;
  const path = side.replace(/\/+$/, "");
  if (isLocal(side) && hasRoomBeside(path)) {
    const folder = path + suffix;
    return { words: ["--backup-dir", folder], folder, suffix: "" };
  }
  return { words: ["--suffix", suffix], folder: side, suffix };
}

/** rclone takes a name before a colon for a remote, unless a slash stands before it. */
export const isLocal = (side: string): boolean => !/^:|^[^/:]+:/.test(side);

/** Is the folder above on the same file system, and ours to write to? The folder above a mount point is not. */
function hasRoomBeside(path: string): boolean {
  // Of `/`, `.` and `..` there is no name to put something behind.
  if (/(^|\/)\.{0,2}$/.test(path)) return false;
  const above = path.replace(/[^/]*$/, "") || ".";
  try {
    accessSync(above, constants.W_OK);
    return statSync(above).dev === statSync(path).dev;
  } catch {
    // It is not there or may not be looked at: then nothing can be kept beside it.
    return false;
  }
}
