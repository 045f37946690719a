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

/** The mounts in the text of a mountinfo file, in order. Pure. */
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

/** The mount that `path`, a real path, lies in; undefined without /proc. */
export const mountOf = (path: string): Mount | undefined => findMount(readMounts(), path);

/** The mount that `path` lies in: the nearest one above it, and of several at one point the last. Pure. */
export function findMount(mounts: readonly Mount[], path: string): Mount | undefined {
  const holds = ({ at }: Mount) => at === "/" || path === at || path.startsWith(`${at}/`);
  return mounts
    .filter(holds)
    .reduce<Mount | undefined>(
      (nearest, each) => (nearest === undefined || each.at.length >= nearest.at.length ? each : nearest),
      undefined,
    );
}

/** Is a repository mounted at exactly this mount point? Pure. */
export function hasResticMount(mounts: readonly Mount[], target: string): boolean {
  return mounts.some(
    ({ at, type, source }) => at === target && type === "fuse" && /^restic(:|$)/.test(source),
  );
}

/** What is mounted now; nothing without /proc. */
export function readMounts(): readonly Mount[] {
  try {
    return parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8"));
  } catch {
    // No /proc: nothing is known.
    return [];
  }
}

/** Is a repository mounted at `target`, a real path? Without /proc: no. */
export function isResticMounted(target: string): boolean {
  // Without /proc only restic's own output tells whether it has mounted.
  return hasResticMount(readMounts(), target);
}

/** The kernel writes blanks, newlines and backslashes in a path as `\040` and the like. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
