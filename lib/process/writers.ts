/** Who could still write to a file: processes that hold it open for writing, by /proc. */

import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { pids } from "./family.ts";

/** O_ACCMODE: what is left is 0 for a reader. */
const ACCESS_MODE = 3;

/**
 * Pids, our own left out. Without /proc none are seen; of another user's processes only root sees what they hold.
 */
export function writersOf(file: Stats): number[] {
  return pids().filter((pid) => pid !== process.pid && descriptors(pid).some((fd) => writes(pid, fd, file)));
}

function descriptors(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch {
    // It has just ended, or is another user's.
    return [];
  }
}

function writes(pid: number, fd: string, { dev, ino }: Stats): boolean {
  try {
    const held = statSync(`/proc/${pid}/fd/${fd}`);
    if (held.ino !== ino || held.dev !== dev) return false;
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1"))?.[1];
    return (Number.parseInt(flags ?? "0", 8) & ACCESS_MODE) !== 0;
  } catch {
    // Closed while we looked.
    return false;
  }
}
