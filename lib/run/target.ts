/**
 * Where restored files or a mount must not go: one rule for every command that takes a --target. A restore keeps away
 * from the sources and from what cannot keep the files; a mount also from what it would cover of the system, of the
 * backup and of this program.
 */

import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import type { Context } from "../context.ts";
import { errnoOf, reasonOf } from "../errors.ts";
import { demandAnswer, mountOf, silenceOf, silentAt } from "../files/mounts.ts";
import { silentAmong } from "../files/within.ts";
import type { Log } from "../log/log.ts";
import { absolute, isVacant, realPath, relation } from "../paths.ts";

/** A directory that a target must keep away from. */
export interface ProtectedPath {
  /** Its real path. */
  readonly path: string;
  /** Its name in messages: `BACKUP_ROOT_DIR /srv`. */
  readonly name: string;
  /** Must a target also stay out of what lies inside it? A target above it always covers it. */
  readonly inside: boolean;
}

/** Why a target is refused. */
export interface Refusal {
  /** A clause of a sentence: `it is not empty`. */
  readonly why: string;
  /** Would it harm the system or the sources, rather than only what is in the target? */
  readonly grave: boolean;
}

/** The data volume of the image. */
const DATA = "/data";
const ROOT: ProtectedPath = { path: "/", name: "the root of the file system", inside: false };

export const protectedPath = (path: string, name: string, inside: boolean): ProtectedPath => ({
  path: realPath(path),
  name,
  inside,
});

/** What is backed up: /data, each of `roots` (BACKUP_ROOT_DIR), and the root of all. Throws as realPath does. */
export function sourcePlaces(roots: readonly string[]): ProtectedPath[] {
  const sources = [
    protectedPath(DATA, DATA, true),
    ...roots.map((root) => protectedPath(root, `BACKUP_ROOT_DIR ${root}`, true)),
  ];
  // Everything is inside /: an operator who backs up the whole system must be able to restore somewhere.
  return [ROOT, ...sources.filter(({ path }) => path !== "/")];
}

/**
 * Why `path`, a real path, is refused as a target; undefined when it is not. Pure, except for `isVacant`, which is asked
 * only when no protected directory rules the target out.
 */
export function judgeTarget(
  path: string,
  places: readonly ProtectedPath[],
  isVacant: () => boolean,
): Refusal | undefined {
  const found = places
    .map((each) => ({ ...each, how: relation(path, each.path) }))
    .filter(({ how, inside }) => how !== undefined && (how !== "inside" || inside))
    // Being the directory itself says more than being near it, and the nearest says more than the others.
    .sort((a, b) => Number(b.how === "same") - Number(a.how === "same") || b.path.length - a.path.length)[0];
  if (found !== undefined) {
    return {
      why: found.how === "same" ? `it is ${found.name}` : `it is ${found.how} ${found.name}`,
      grave: true,
    };
  }
  return isVacant() ? undefined : { why: "it is not empty", grave: false };
}

/**
 * Why nothing may be restored to `target`; undefined when it may be. `roots` are BACKUP_ROOT_DIR's paths. Compares
 * real paths, so that no symbolic link leads past it.
 */
export function restoreRefusal(
  target: string,
  roots: readonly string[],
  mayHold: boolean,
): Refusal | undefined {
  try {
    const places = sourcePlaces(roots);
    // restic resolves `link/..` as text, the kernel follows the link: neither result may be a refused directory.
    const found = [target, absolute(target)].map((each) => {
      const path = realPath(each);
      demandAnswer(path);
      return judgeTarget(path, places, () => mayHold || isVacant(path));
    });
    return found.find((refusal) => refusal?.grave) ?? found.find((refusal) => refusal !== undefined);
  } catch (error) {
    return { why: `it cannot be inspected: ${reasonOf(error)}`, grave: true };
  }
}

/**
 * Names those of the operator's places that do not answer; from then on nobody touches them, and what is asked of them is
 * unknown.
 */
export async function nameSilent(log: Log, places: readonly string[]): Promise<void> {
  for (const path of await silentAmong(places.map((each) => absolute(each))))
    log.warn(`${silenceOf(path)}. The run goes on as far as it can without it.`);
}

/** All that a target is compared with and that an operator has named. */
export const namedPlaces = (settings: Settings): string[] => [
  DATA,
  ...settings.lines("BACKUP_ROOT_DIR"),
  absolute(settings.text("TMPDIR")),
  ...DISKS,
  ...OWN.map((name) => settings.text(name)).filter((path) => path !== ""),
];

/** What is there already of `target`: itself, or the folder in which it would be made; a real path. Throws as realPath does. */
function standingPath(target: string): string {
  let path = realPath(target);
  demandAnswer(path);
  while (path !== "/" && !existsSync(path)) path = path.slice(0, path.lastIndexOf("/")) || "/";
  return path;
}

/** What statfs(2) calls the file systems whose files are in memory only: TMPFS_MAGIC (devtmpfs, too), RAMFS_MAGIC. */
const IN_MEMORY: ReadonlyMap<number, string> = new Map([
  [0x01021994, "tmpfs"],
  [0x858458f6, "ramfs"],
]);

/** Where `path` lies in memory only, as a clause of a sentence; undefined when it lies on a disk, or nobody knows. */
export function memoryAt(path: string): string | undefined {
  try {
    const folder = standingPath(path);
    // A type is a signed number here.
    const type = IN_MEMORY.get(statfsSync(folder).type >>> 0);
    if (type === undefined) return undefined;
    const at = mountOf(folder)?.at;
    return (
      `it lies in memory (${at === undefined ? type : `${type} on ${at}`}), which is gone with the container and out of ` +
      "which docker cp copies nothing"
    );
  } catch {
    // A loop of links, or not to be searched: whoever writes there says so.
    return undefined;
  }
}

/** Why `path` cannot keep files: it cannot be written, or is in memory only. undefined when it can. */
export function storageRefusal(path: string): Refusal | undefined {
  try {
    demandWritable(standingPath(path));
    const why = memoryAt(path);
    return why === undefined ? undefined : { why, grave: false };
  } catch (error) {
    return { why: `it cannot be written: ${reasonOf(error)}`, grave: false };
  }
}

/** Throws where restic can neither write into the folder nor replace the file that this is. */
function demandWritable(path: string): void {
  const asFolder = constants.W_OK | constants.X_OK;
  if (statSync(path).isDirectory()) {
    accessSync(path, asFolder);
    return;
  }
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    // A file whose mode alone forbids it is replaced.
    if (errnoOf(error) === "EROFS") throw error;
    accessSync(path.slice(0, path.lastIndexOf("/")) || "/", asFolder);
  }
}

/** Bytes that may still be written at `path`; undefined where the file system does not say. Throws as realPath does. */
export function freeBytes(path: string): number | undefined {
  const { bavail, blocks, bsize } = statfsSync(standingPath(path));
  // Some FUSE file systems know no size.
  return blocks === 0 ? undefined : bavail * bsize;
}

/** Folders on a disk, in most containers. */
const DISKS = ["/var/tmp", "/restore"];

/**
 * A folder for what is restored for a while: TMPDIR, or, where that lies in memory, the folder on a disk with the most
 * room. `memory` says so of the folder when there is none.
 */
export function scratchFolder(settings: Settings): { folder: string; memory?: string | undefined } {
  const folder = absolute(settings.text("TMPDIR"));
  const memory = memoryAt(folder);
  if (memory === undefined) return { folder };
  const roots = settings.lines("BACKUP_ROOT_DIR");
  const others = [...DISKS, settings.text("RESTIC_CACHE_DIR")]
    .filter((each) => each !== "" && isThere(each))
    .map((each) => absolute(each))
    .filter((each) => storageRefusal(each) === undefined && restoreRefusal(each, roots, true) === undefined)
    .map((each) => ({ folder: each, free: freeBytes(each) ?? Number.POSITIVE_INFINITY }))
    .sort((a, b) => b.free - a.free);
  return others[0] ?? { folder, memory };
}

function isThere(path: string): boolean {
  return silentAt(path) === undefined && existsSync(path);
}

const SYSTEM = ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr"];
/** Others put folders into these, so a mount may lie inside one; on top of one it would cover them all. */
const SHARED = ["/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var"];
const OWN = ["HOOKS_DIR", "LOG_DIR", "LOCK_DIR", "METRICS_DIR", "RESTIC_CACHE_DIR", "TMPDIR"] as const;

export function placesToKeepFree({ settings, repository: named }: Context): ProtectedPath[] {
  const own = OWN.filter((name) => settings.text(name) !== "");
  const repository = localRepository(named);
  return [
    ...sourcePlaces(settings.lines("BACKUP_ROOT_DIR")),
    ...SYSTEM.map((path) => protectedPath(path, `${path}, a directory of the system`, true)),
    ...SHARED.map((path) => protectedPath(path, `${path}, which others share`, false)),
    ...own.map((name) => protectedPath(settings.text(name), `${name} ${settings.text(name)}`, false)),
    // A mount over its own repository would make restic wait for itself.
    ...(repository === undefined ? [] : [protectedPath(repository, `the repository ${repository}`, true)]),
  ];
}

export const localFolders = ({ repository }: Context): string[] =>
  [localRepository(repository)].filter((path) => path !== undefined);

/** The folder of a repository on a file system; undefined for one behind a protocol. Pure. */
export function localRepository(repository: string): string | undefined {
  if (repository.startsWith("local:")) return repository.slice("local:".length);
  return /^[a-z0-9]+:/.test(repository) ? undefined : repository;
}
