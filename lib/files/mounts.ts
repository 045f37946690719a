/** Reads /proc/self/mountinfo (proc_pid_mountinfo(5)): what is mounted where, in our mount namespace. */

import { readFileSync } from "node:fs";

export interface Mount {
  /** The mount point, a real path. */
  readonly at: string;
  /** The file system's type: `fuse`, `ext4`. */
  readonly type: string;
  /** What is mounted: `restic`, since 0.19 `restic:<repository id>`. */
  readonly source: string;
}

/** The mounts of such a text, in its order. Pure. */
export function parseMountinfo(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    // `36 35 98:0 /root /mount/point opts [optional fields…] - type source super-options`
    const [before = "", after] = line.split(" - ");
    if (after === undefined) return [];
    const at = before.split(" ")[4] ?? "";
    const [type = "", source = ""] = after.split(" ");
    return [{ at: unescaped(at), type, source: unescaped(source) }];
  });
}

/** Is a repository mounted at exactly this place? Pure. */
export function hasResticMount(mounts: readonly Mount[], place: string): boolean {
  return mounts.some(
    ({ at, type, source }) => at === place && type === "fuse" && /^restic(:|$)/.test(source),
  );
}

/** Is a repository mounted at `place`, a real path? Without /proc: no. */
export function isResticMounted(place: string): boolean {
  try {
    return hasResticMount(parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8")), place);
  } catch {
    // No /proc: restic's own words are then all that is known of its mount.
    return false;
  }
}

/** The kernel writes blanks, newlines and backslashes in a path as `\040` and the like. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
