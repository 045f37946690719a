/**
 * What a run makes for itself only, and what one that was killed has left of it. The names tell whose it is: a
 * process of this machine, or of another container that shares the folder.
 */

import { readdirSync, readlinkSync, statSync } from "node:fs";
import { errnoOf } from "../errors.ts";
import { statOf } from "../process/family.ts";
import { removeTree } from "../tree.ts";

/** `rbh-<pid>-<ticks at its start>-<pid namespace>`, then what it is. */
const NAME = /rbh-(\d+)-(\d+)-(\d+)\.(part|work)$/;
/** What another container has not touched for a week is not being written any more. */
const ABANDONED_MS = 7 * 24 * 3600 * 1000;

/** For the end of a name: names this process and no other. */
export function ownMark(kind: "part" | "work"): string {
  return `rbh-${process.pid}-${statOf("self")?.ticks ?? 0}-${namespace()}.${kind}`;
}

/** Removes what dead runs have left in `folder`. Returns the names; what cannot be removed is left. */
export function removeLeftovers(folder: string, now = Date.now()): string[] {
  return names(folder).filter((name) => {
    const path = `${folder}/${name}`;
    try {
      if (!isLeftover(name, now - statSync(path).mtimeMs)) return false;
      removeTree(path);
      return true;
    } catch {
      // Another user's, or gone this very moment: the run does not depend on it.
      return false;
    }
  });
}

function isLeftover(name: string, ageMs: number): boolean {
  const [, pid, ticks, home] = NAME.exec(name) ?? [];
  if (home === undefined) return false;
  if (home !== namespace() || home === UNKNOWN) return ageMs > ABANDONED_MS;
  const stat = statOf(Number(pid));
  return stat === undefined || stat.ticks !== Number(ticks);
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Without /proc no process can be looked at, and only age tells. */
const UNKNOWN = "0";

/** The number of our pid namespace: in another one our pids mean other processes. */
function namespace(): string {
  try {
    return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? UNKNOWN;
  } catch {
    // No /proc.
    return UNKNOWN;
  }
}
