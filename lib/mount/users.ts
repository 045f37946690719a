/** Who keeps a mount busy, as far as /proc shows it. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { pids } from "../process/family.ts";

/** `sh (pid 123)` for each process with its working directory, root or an open file in or below `place`. */
export function usersOf(place: string): string[] {
  return pids()
    .filter((pid) => pid !== process.pid && linksOf(pid).some((link) => isIn(link, place)))
    .map((pid) => `${nameOf(pid)} (pid ${pid})`);
}

const isIn = (path: string, place: string): boolean => path === place || path.startsWith(`${place}/`);

/** Reading these links asks the kernel only, never the mounted file system: it may hang or be dead. */
function linksOf(pid: number): string[] {
  const files = namesIn(`/proc/${pid}/fd`).map((fd) => `fd/${fd}`);
  return ["cwd", "root", ...files].flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/${name}`)];
    } catch {
      // It has ended or closed the file meanwhile, or it is another user's.
      return [];
    }
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // As above.
    return [];
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    // It has just ended.
    return "?";
  }
}
