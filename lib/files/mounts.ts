/**
 * Reads /proc/self/mountinfo (proc_pid_mountinfo(5)): what is mounted where, in our mount namespace; and remembers which
 * of it does not answer. Nothing here touches a mount.
 */

import { readFileSync, readlinkSync } from "node:fs";
import { ConfigError } from "../errors.ts";

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

/** File systems that others serve, whose server may be gone. The layers of rootless podman are no such thing. */
const KINDS =
  "nfs|cifs|smb|fuse(?!\\.(?:fuse-overlayfs|lxcfs) )|9p|virtiofs|ceph|afs|autofs|lustre|beegfs|gfs2|ocfs2|gpfs|orangefs|coda|ncpfs";
const SERVED = new RegExp(`^(?:${KINDS})`);
/** Is such a one in the text of a mountinfo file? */
export const SERVED_LINE = new RegExp(` - (?:${KINDS})`);

/** Is it a mount that may never answer? Pure. */
export const isServed = ({ at, type }: Mount): boolean => at !== "/" && SERVED.test(`${type} `);

/** Mount points that were asked and have not answered (see within.ts). Empty almost always: then nobody need ask further. */
export const silent = new Set<string>();

export function noteAnswer(at: string, hasAnswered: boolean): void {
  if (hasAnswered) silent.delete(at);
  else silent.add(at);
}

const SILENT = "did not answer within 3 s (a dead network mount?)";
export const SILENCE = `it ${SILENT}`;
export const silenceOf = (path: string): string => `${path} ${SILENT}`;

/** What is known to be silent and holds `path`, an absolute path without links; undefined where nothing is. */
export function silentAt(path: string): string | undefined {
  for (const at of silent) if (path === at || path.startsWith(`${at}/`)) return at;
  return undefined;
}

/** Does `path` lie in what is known to be silent, through whatever links? */
export const isKnownSilent = (path: string): boolean => silent.size > 0 && wayOf(path).end !== undefined;

/** Throws a ConfigError instead of touching what is known to be silent: a synchronous call would never return. */
export function demandAnswer(path: string): void {
  if (isKnownSilent(path)) throw new ConfigError(silenceOf(path));
}

/** Links in a path after which the kernel gives up. */
const LINKS_MOST = 40;

/**
 * Follows the links of `path` up to the first mount for which `isEnd` says true; what comes after that is taken as it is
 * written, and nothing of it is touched. `end`: that mount point, or undefined when there is none on the way.
 */
export function wayOf(
  path: string,
  isEnd: (at: string) => boolean = (at) => silent.has(at),
): { readonly path: string; readonly end?: string } {
  let rest = (path.startsWith("/") ? path : `${process.cwd()}/${path}`).split("/");
  let at = "";
  for (let links = 0; ; ) {
    const name = rest.shift();
    if (name === undefined) return { path: at || "/" };
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at = at.slice(0, at.lastIndexOf("/"));
      continue;
    }
    const next = `${at}/${name}`;
    if (isEnd(next)) return { path: [next, ...rest.filter(Boolean)].join("/"), end: next };
    const link = links < LINKS_MOST ? linkAt(next) : undefined;
    if (link === undefined) {
      at = next;
      continue;
    }
    links++;
    rest = [...link.split("/"), ...rest];
    if (link.startsWith("/")) at = "";
  }
}

export function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // EINVAL: it is not a link. Any other error: nothing there could be one.
    return undefined;
  }
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
