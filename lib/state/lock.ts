/**
 * The lock of a worker: flock(2) on a file that is never deleted, taken by flock(1) on a descriptor that it inherits
 * from us. The lock belongs to the open file: it stays ours after flock(1) has exited, every child that inherits the
 * descriptor keeps it too, and it is free when the last descriptor of that open file is closed.
 */

import { closeSync, constants, existsSync, ftruncateSync } from "node:fs";
import type { Environment } from "../environment.ts";
import { EXIT, errnoOf, Failure, reasonOf } from "../errors.ts";
import {
  discard,
  isFileAt,
  isInTheWay,
  isSameFile,
  makeFolder,
  openNew,
  openOurs,
  PRIVATE,
  writeAt,
} from "../files/files.ts";
import { isAncestor } from "../process/proc.ts";
import { CannotStart, INHERITED_FD, plainEnvironment, spawn } from "../process/spawn.ts";
import { sleep } from "../process/stop.ts";
import { processesHoldingDeleted } from "./holder.ts";

export interface Lock {
  readonly path: string;
  /** The descriptor that holds it; undefined when an ancestor holds it and we did not inherit its descriptor. */
  readonly fd: number | undefined;
  /** The job for which locked_run, an ancestor, holds it: only locked_run signs it and releases it. */
  readonly inherited?: string;
}

/** The lock cannot be taken, and not because another process has it. */
export class LockFailure extends Failure {
  constructor(path: string, detail: string) {
    super(`The lock ${path} cannot be taken: ${detail}`, EXIT.failed);
  }
}

/** Says to the children of `locked_run` which lock they run under: `<pid>:<descriptor>:<job>:<path>`. */
export const LOCK_VARIABLE = "RBH_LOCK";

/** The value of LOCK_VARIABLE for a child that inherits the descriptor of `lock`. */
export const formatLockVariable = (lock: Lock, job: string): string =>
  `${process.pid}:${INHERITED_FD}:${job}:${lock.path}`;

/**
 * Takes the lock at `path`; undefined when another process has it. `held` is a lock that this process has already: it
 * is returned if it is the same file, by whatever path. A missing folder is made. Throws LockFailure.
 */
export async function takeLock(path: string, env: Environment, held?: Lock): Promise<Lock | undefined> {
  if (held !== undefined && (held.path === path || isSameFile(held.path, path))) return held;
  const inherited = inheritedLock(path, env[LOCK_VARIABLE]);
  if (inherited !== undefined) return inherited;
  for (;;) {
    const { fd, isNew } = openLockFile(path);
    if (!(await lock(fd, path, env))) {
      closeSync(fd);
      return undefined;
    }
    // The file may have been deleted or replaced since we opened it: then ours locks nothing.
    if (isFileAt(path, fd)) {
      if (!isNew || processesHoldingDeleted(path).length === 0) return { path, fd };
      // The file before ours was deleted while it was held. Without a file the next tick, too, looks for its holder.
      discard(path);
      closeSync(fd);
      return undefined;
    }
    closeSync(fd);
  }
}

/**
 * Releases the lock although a descendant still has its descriptor: a password agent, say, that restic's
 * RESTIC_PASSWORD_COMMAND started. Closing ours, as every exit does, would leave the lock with it.
 */
export async function freeLock(lock: Lock, env: Environment): Promise<void> {
  if (lock.fd === undefined || lock.inherited) return;
  try {
    await unflock(lock.fd, env);
  } catch (error) {
    // flock(1) was there when the lock was taken. Without it the next run says which process still has the lock.
    if (!(error instanceof CannotStart)) throw error;
  }
}

/** Writes into the lock file, for a person who reads it, which run holds it. */
export function signLock(lock: Lock, text: string): void {
  if (lock.fd === undefined || lock.inherited) return;
  try {
    ftruncateSync(lock.fd, 0);
    if (text !== "") writeAt(lock.fd, text, 0);
  } catch {
    // The disk is full: the lock holds all the same; only the line that a skipped run prints lacks the pid.
  }
}

/** Empties the lock file again: a pid that is still there when its process is gone was left by a run that died. */
export function unsignLock(lock: Lock): void {
  signLock(lock, "");
}

/**
 * The lock that a `locked_run` above us holds, by the value of LOCK_VARIABLE. If we have inherited its descriptor,
 * flock(1) would succeed at once, as it is the same open file; if a shell or sudo closed it, our ancestor holds it.
 */
function inheritedLock(path: string, value: string | undefined): Lock | undefined {
  const [, pid, fd, job, heldPath] = /^(\d+):(\d+):([^:]+):(.+)$/s.exec(value ?? "") ?? [];
  if (!pid || !fd || !job || !heldPath) return undefined;
  if (!isSameFile(path, heldPath) || !isAncestor(Number(pid))) return undefined;
  return { path, fd: isFileAt(path, Number(fd)) ? Number(fd) : undefined, inherited: job };
}

/** It is its owner's alone: who can open a lock can hold it, and stop all runs by that. */
function openLockFile(path: string): { fd: number; isNew: boolean } {
  try {
    for (;;) {
      const there = unless("ENOENT", () => openOurs(path, constants.O_RDWR, PRIVATE));
      if (there !== undefined) return { fd: there, isNew: false };
      // LOCK_DIR is often on a tmpfs, and gone after a restart.
      const folder = path.slice(0, path.lastIndexOf("/"));
      if (!existsSync(folder)) makeFolder(folder);
      const made = unless("EEXIST", () => openNew(path, constants.O_RDWR, PRIVATE));
      if (made !== undefined) return { fd: made, isNew: true };
    }
  } catch (error) {
    throw new LockFailure(path, `${reasonOf(error)}.${hintFor(error)}`);
  }
}

function hintFor(error: unknown): string {
  if (isInTheWay(error)) return " Remove it, or set LOCK_DIR to another folder.";
  return ["ENOENT", "EEXIST", "EACCES", "EROFS"].includes(errnoOf(error) ?? "")
    ? " Create the folder, or set LOCK_DIR to one that the running user can write."
    : "";
}

/** What `open` returns; undefined when it fails with this errno. */
function unless(errno: string, open: () => number): number | undefined {
  try {
    return open();
  } catch (error) {
    if (errnoOf(error) !== errno) throw error;
    return undefined;
  }
}

/** True when flock(1) locked it, false when another process has it locked. Throws LockFailure. */
async function lock(fd: number, path: string, env: Environment): Promise<boolean> {
  try {
    return await flock(fd, env);
  } catch (error) {
    closeSync(fd);
    if (error instanceof FlockFailed) throw new LockFailure(path, error.message);
    if (!(error instanceof CannotStart)) throw error;
    const remedy = error.why === "missing" ? "Install util-linux or busybox; nothing" : "Nothing";
    throw new LockFailure(path, `${error.message} ${remedy} was run.`);
  }
}

/** Milliseconds after which a lock that somebody holds for an instant is tried again. */
const TRY_MS = 20;

/** flock(1) failed, and not because somebody else has the lock. */
export class FlockFailed extends Error {}

/** Locks `fd`; false when somebody else has it locked. Throws FlockFailed, CannotStart. */
export async function flock(fd: number, env: Environment): Promise<boolean> {
  // `-n FD` alone means the same to util-linux and to busybox.
  const options = { env: plainEnvironment(env), inherit: fd };
  const command = ["flock", "-n", String(INHERITED_FD)];
  if ((await spawn(command, options).exited).code === 0) return true;
  const child = spawn(command, { ...options, stderr: "pipe" });
  const { code } = await child.exited;
  if (code === 0) return true;
  // Both exit with 1 and print nothing when the lock is held. Of any other failure they print the reason.
  const words = child.stderr === undefined ? "" : (await new Response(child.stderr).text()).trim();
  if (code === 1 && words === "") return false;
  throw new FlockFailed(`flock(1) ended with ${code}: ${words || "it gave no reason"}.`);
}

/** Unlocks `fd` for every process that has the descriptor. Throws CannotStart. */
export async function unflock(fd: number, env: Environment): Promise<void> {
  await spawn(["flock", "-u", String(INHERITED_FD)], { env: plainEnvironment(env), inherit: fd }).exited;
}

/**
 * Opens the file at `path`, creating it where needed, and locks it for something short. Tries for `ms` milliseconds;
 * undefined when somebody else holds it all that time. Closing the descriptor unlocks it. Throws what open(2) throws,
 * FlockFailed, CannotStart.
 */
export async function lockShortly(path: string, ms: number, env: Environment): Promise<number | undefined> {
  const fd = openOurs(path, constants.O_RDWR | constants.O_CREAT, PRIVATE);
  const end = performance.now() + ms;
  try {
    for (;;) {
      if (await flock(fd, env)) return fd;
      if (performance.now() >= end) break;
      await sleep(TRY_MS);
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}
