/** Sources that hold so little that something is likely to be missing: most often a volume that is not mounted. */

import { lstatSync, type Stats } from "node:fs";
import { readIfThere } from "../files.ts";
import { absolute } from "../paths.ts";
import { formatBytes } from "../size.ts";
import type { Tally } from "./tally.ts";

/** Why a source looks too empty, as a sentence without its end; undefined when it does not. */
export function suspicionOf(path: string, stat: Stats, tally: Tally): string | undefined {
  if (stat.isSymbolicLink()) {
    return "it is a symbolic link: restic saves the link itself and nothing of what it leads to; name that instead";
  }
  if (!stat.isDirectory() || tally.files + tally.links + tally.specials > 0 || tally.errors > 0)
    return undefined;
  const what = tally.folders > 1 ? "it holds folders but not a single file" : "it is empty";
  return isMountPoint(path, stat)
    ? `${what}, although a file system is mounted there: is it the right one?`
    : `${what}, and nothing is mounted there: is its volume missing?`;
}

/** A bind mount of the same file system has the same device, so the kernel's own list is asked first. */
function isMountPoint(path: string, { dev }: Stats): boolean {
  const real = absolute(path);
  const mounts = mountPoints();
  if (mounts !== undefined) return mounts.includes(real);
  return lstatSync(`${real}/..`).dev !== dev;
}

function mountPoints(): string[] | undefined {
  try {
    return readIfThere("/proc/self/mountinfo")
      ?.split("\n")
      .map((line) =>
        (line.split(" ")[4] ?? "").replace(/\\([0-7]{3})/g, (_, code) =>
          String.fromCharCode(Number.parseInt(code, 8)),
        ),
      );
  } catch {
    // No /proc.
    return undefined;
  }
}

/** What the last backup's record says that it has read. */
export interface LastBackup {
  readonly total_files_processed?: number;
  readonly total_bytes_processed?: number;
}

/** Fewer than this share of the last backup's files is worth a word. */
const SHRUNK = 0.5;

/** Why all of it together looks too little; undefined when it does not. Pure. */
export function shrinkageOf(
  { files, bytes }: { files: number; bytes: number },
  last: LastBackup,
): string | undefined {
  const before = last.total_files_processed ?? 0;
  if (files < before * SHRUNK) {
    return `The last backup read ${before} files, and now there are ${files}: is something missing?`;
  }
  const bytesBefore = last.total_bytes_processed ?? 0;
  if (bytes >= 0 && bytes < bytesBefore * SHRUNK) {
    return `The last backup read ${formatBytes(bytesBefore)}, and now there are ${formatBytes(bytes)}: is something missing?`;
  }
  return undefined;
}
