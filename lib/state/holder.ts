/**
 * What stands in the way of a run: the process that holds its lock and those that still have its descriptor, as far as
 * its file and /proc say; and `LOCK_DIR/<job>.skips`, how many runs in a row were skipped for it. Each skip appends one
 * line, which the kernel does atomically, so fifty at once are counted as fifty. The next run that gets the lock removes
 * the lines that were there before it.
 */

import {
  closeSync,
  constants,
  lstatSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeSync,
} from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";
import { isSameFile, openOurs, readIfThere, readOurs } from "../files/files.ts";
import { pause } from "../log/stdout.ts";
import { isAlive, isAncestor, pids, processName } from "../process/proc.ts";
import { INHERITED_FD } from "../process/spawn.ts";

/** How often, and how many milliseconds apart, the signature of a lock that has just been taken is looked for. */
const LOOKS = 10;
const LOOK_MS = 5;

/** What the holder wrote into the lock file, and whether it is still alive. */
export interface LockHolder {
  readonly pid: number | undefined;
  readonly since: string | undefined;
  readonly alive: boolean;
}

export function readLockHolder(path: string): LockHolder {
  return parseSignature(signatureAt(path));
}

/** What a lock file says. A pid in it whose process is gone was left by a run that died: see unsignLock. */
export function parseSignature(text: string): LockHolder {
  const pid = Number(/^pid (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
  return {
    pid: Number.isNaN(pid) ? undefined : pid,
    since: /^since (.+)$/m.exec(text)?.[1],
    alive: !Number.isNaN(pid) && isAlive(pid),
  };
}

/** The state of a lock, for a reader that does not take it: see inspectLock. */
export type LockState =
  | { readonly state: "free" }
  | { readonly state: "unreadable"; readonly problem: string }
  /** Another user's: only that user sees who holds it. */
  | { readonly state: "private" }
  | { readonly state: "held"; readonly pid: number; readonly since: string | undefined }
  /** Its holder has died, but processes that it started still hold it. */
  | { readonly state: "orphaned"; readonly pid: number; readonly processes: { pid: number; name: string }[] };

/** Bytes: a lock file holds a few short lines. */
const SIGNATURE_MOST = 4096;

/** Looks at the lock file and at /proc, without waiting and without touching the lock. Throws nothing. */
export function inspectLock(path: string): LockState {
  let text: string;
  try {
    text = readOurs(path, SIGNATURE_MOST);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { state: "free" };
    // A lock is its owner's alone. The marker beside it, which everybody may read, says whether a run goes on.
    if (errnoOf(error) === "EACCES") return { state: "private" };
    return { state: "unreadable", problem: reasonOf(error) };
  }
  const { pid, since, alive } = parseSignature(text);
  if (pid === undefined) return { state: "free" };
  if (alive && hasOpen(pid, path)) return { state: "held", pid, since };
  const processes = processesHolding(path);
  return processes.length === 0 ? { state: "free" } : { state: "orphaned", pid, processes };
}

/** A holder signs a moment after it has locked: an empty file is read a few more times. */
function signatureAt(path: string): string {
  for (let look = 0; look < LOOKS; look++) {
    try {
      const text = readOurs(path, SIGNATURE_MOST);
      if (text !== "") return text;
    } catch {
      // Unreadable, or gone this very moment: the holder is unknown, and the caller says so.
      return "";
    }
    pause(LOOK_MS);
  }
  return "";
}

/** Processes that have inherited the lock file, as far as we may look: they hold it when its holder has died. */
export function processesHolding(path: string): { pid: number; name: string }[] {
  return (
    pids()
      // A child has it as its descriptor 3: no other one is looked at.
      .filter((pid) => pid !== process.pid && isSameFile(`/proc/${pid}/fd/${INHERITED_FD}`, path))
      .map((pid) => ({ pid, name: processName(pid) }))
  );
}

/**
 * Processes that hold a lock file which was deleted at `path`, by a person or with all of LOCK_DIR: a restic, which has
 * it as its descriptor 3, or a process of this program. Ancestors are left out: locked_run lets its command in.
 */
export function processesHoldingDeleted(path: string): { pid: number; name: string }[] {
  const lost = `${realPathOf(path)} (deleted)`;
  const us = linkAt("/proc/self/exe");
  return pids()
    .filter((pid) => {
      if (pid === process.pid) return false;
      if (linkAt(`/proc/${pid}/fd/${INHERITED_FD}`) === lost) return !isAncestor(pid);
      return linkAt(`/proc/${pid}/exe`) === us && opens(pid, lost, () => false) && !isAncestor(pid);
    })
    .map((pid) => ({ pid, name: processName(pid) }));
}

/** Does exactly this process have the lock file open? The pid in the file may belong to another process by now. */
export function hasOpen(pid: number, path: string): boolean {
  // Another user's descriptors cannot be listed: then the file's word is taken.
  return opens(pid, realPathOf(path), (error) => errnoOf(error) === "EACCES");
}

/** Does any process that we may look into have the file open? For a lock whose holder has not signed it. */
export function isOpenAnywhere(path: string): boolean {
  const real = realPathOf(path);
  return pids().some((pid) => opens(pid, real, () => false));
}

/** Does one of the process's descriptors lead to `target`? `otherwise` answers where they cannot be listed. */
function opens(pid: number, target: string | undefined, otherwise: (error: unknown) => boolean): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkAt(`/proc/${pid}/fd/${fd}`) === target);
  } catch (error) {
    return otherwise(error);
  }
}

/** /proc knows files by their real paths, and /var/run is a link to /run nearly everywhere. */
function realPathOf(path: string): string | undefined {
  const cut = path.lastIndexOf("/");
  try {
    // The file itself may be gone.
    return `${realpathSync(path.slice(0, cut) || "/")}/${path.slice(cut + 1)}`.replace(/^\/\//, "/");
  } catch {
    // There is no such folder: no process has it open.
    return undefined;
  }
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // The process has exited or is another user's, or it has no such descriptor.
    return undefined;
  }
}

/** All lines are as long as this one, so the size of the file says how many there are. */
const LINE_BYTES = "2026-05-11 09:00:00\n".length;

const pathOf = (lockDir: string, job: string) => `${lockDir}/${job}.skips`;

/** From this many in a row on, skips are a warning. */
export const SKIPS_MANY = 3;

/** Adds one skip, at the time `stamp`, and returns how many there are in a row; 1 where it cannot be written. */
export function countSkip(lockDir: string, job: string, stamp: string): number {
  const path = pathOf(lockDir, job);
  try {
    append(path, `${stamp}\n`);
    return Math.max(1, skipsInARow(lockDir, job));
  } catch {
    // LOCK_DIR is full or read-only: the skip itself is logged all the same.
    return 1;
  }
}

/** How many there are in a row by now; 0 where that cannot be read. */
export function skipsInARow(lockDir: string, job: string): number {
  try {
    return Math.round((lstatSync(pathOf(lockDir, job), { throwIfNoEntry: false })?.size ?? 0) / LINE_BYTES);
  } catch {
    // LOCK_DIR is not a folder, or we may not enter it: taking the lock there fails next, and says so.
    return 0;
  }
}

/**
 * Forgets the skips before this run. `before` is how many there were when it asked for its lock; later ones were
 * skipped because of this very run, and remain.
 */
export function forgetSkips(lockDir: string, job: string, before: number): void {
  if (before === 0) return;
  const path = pathOf(lockDir, job);
  try {
    const since = readIfThere(path)?.slice(before * LINE_BYTES) ?? "";
    rmSync(path, { force: true });
    if (since !== "") append(path, since);
  } catch {
    // LOCK_DIR is full or read-only, or somebody removed the file: the count may be wrong, and the run goes on.
  }
}

function append(path: string, text: string): void {
  const fd = openOurs(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT);
  try {
    writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
}
