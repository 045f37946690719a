/**
 * flock(2) by way of flock(1) on a descriptor that it inherits from us. The lock belongs to the open file, so it
 * stays ours after flock(1) has ended, and is free when the last descriptor of that open file is closed.
 */

import { closeSync, constants, openSync } from "node:fs";
import type { ChildEnvironment, Environment } from "../environment.ts";
import { spawn } from "./spawn.ts";
import { sleep } from "./timer.ts";

/** Where a child finds a descriptor that it was started with (see spawn). */
export const INHERITED_FD = 3;
/** Milliseconds after which a lock that somebody holds for an instant is tried again. */
const TRY_MS = 20;

/** flock(1) failed, and not because somebody else has the lock. */
export class FlockFailed extends Error {}

/** Locks `fd`; false when somebody else has it locked. Throws FlockFailed, CannotStart. */
export async function flock(fd: number, env: Environment): Promise<boolean> {
  // `-n FD` alone means the same to util-linux and to busybox.
  const options = { env: plain(env), inherit: fd };
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
  await spawn(["flock", "-u", String(INHERITED_FD)], { env: plain(env), inherit: fd }).exited;
}

/**
 * Opens the file at `path`, creating it where needed, and locks it for something short. Tries for `ms` milliseconds;
 * undefined when somebody else holds it all that time. Closing the descriptor unlocks it. Throws what open(2) throws,
 * FlockFailed, CannotStart.
 */
export async function lockShortly(path: string, ms: number, env: Environment): Promise<number | undefined> {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
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

/** Without LC_ALL=C it would load eleven more files for the locale. */
const plain = ({ PATH }: Environment): ChildEnvironment => ({ PATH, LC_ALL: "C" });
