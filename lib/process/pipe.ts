/**
 * One pipe for both of a hook's streams, so that its lines keep the order in which they were written.
 *
 * Bun gives a child sockets where it is asked for pipes, and a socket cannot be opened again: a hook that
 * writes `> /dev/stderr` or `| tee /dev/stdout` would fail. A named pipe can. It is made once with mkfifo(1)
 * and used again by every run; when something that was left behind still holds it, a fresh one takes its place.
 */

import { closeSync, constants, fstatSync, openSync, readSync, rmSync } from "node:fs";
import type { ChildEnvironment } from "../environment.ts";
import { errnoOf } from "../errors.ts";
import { targetOf } from "./proc.ts";
import { plainEnvironment, spawn } from "./spawn.ts";

export interface Pipe {
  readonly read: number;
  readonly write: number;
  /** What /proc shows as the target of a descriptor of it; undefined without /proc. */
  readonly target: string | undefined;
}

const READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/** Opens the named pipe at `path`, creating it where needed; undefined where that is impossible. */
export async function openPipe(path: string, env: ChildEnvironment): Promise<Pipe | undefined> {
  const read = openReader(path) ?? ((await makePipe(path, env)) ? openReader(path) : undefined);
  if (read === undefined) return undefined;
  try {
    return {
      read,
      write: openSync(`/proc/self/fd/${read}`, constants.O_WRONLY),
      target: targetOf("self", read),
    };
  } catch {
    // No descriptor left, or no /proc: two sockets will do. By its path it might be another one's pipe by now.
    closeSync(read);
    return undefined;
  }
}

/** The read end; undefined when there is no pipe of ours at `path`, or somebody still writes to it. */
function openReader(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, READ);
  } catch {
    // Missing, or something other than a pipe of ours: the caller makes a fresh one, or goes on without.
    return undefined;
  }
  if (fstatSync(fd).isFIFO() && fstatSync(fd).uid === process.geteuid?.() && !hasWriter(fd)) return fd;
  closeSync(fd);
  return undefined;
}

/** Reading a pipe without writers gives end of file; with one, there is "nothing yet". */
function hasWriter(fd: number): boolean {
  try {
    return readSync(fd, new Uint8Array(1), 0, 1, null) > 0;
  } catch (error) {
    return errnoOf(error) === "EAGAIN";
  }
}

async function makePipe(path: string, env: ChildEnvironment): Promise<boolean> {
  try {
    rmSync(path, { force: true });
    const { code } = await spawn(["mkfifo", "-m", "600", path], { env: plainEnvironment(env) }).exited;
    return code === 0;
  } catch {
    // No mkfifo(1), or a folder that takes no pipes: the caller goes on with two sockets.
    return false;
  }
}
