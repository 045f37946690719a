/**
 * A folder that a run makes to put a snapshot's files into for a while, and what a run that was killed has left of such.
 * The names tell whose one is: a process of this machine, or of another container that shares the folder.
 */

import { lstatSync, mkdirSync, readdirSync, readlinkSync, renameSync } from "node:fs";
import { ConfigError, errnoOf, reasonOf } from "../errors.ts";
import { demandAnswer } from "../files/mounts.ts";
import { removeTree } from "../files/tree.ts";
import { readStat } from "../process/proc.ts";
import { stopBudget, within } from "../process/stop.ts";
import { compact, localZone } from "../time/zone.ts";
import type { Run } from "./run.ts";

/** Makes it in `parent`, for our own eyes only. Throws a ConfigError that names the flag for another place. */
export function makeWorkdir(parent: string, worker: string, flag: string): string {
  const path = `${parent === "/" ? "" : parent}/${worker}.${ownMark("work")}`;
  try {
    demandAnswer(parent);
    mkdirSync(path, { mode: 0o700 });
    return path;
  } catch (error) {
    throw new ConfigError(
      `The work directory ${path} cannot be made: ${reasonOf(error)}. Choose another one with ${flag}.`,
    );
  }
}

/** Gives it a name without our mark, by which the next run would take it for a leftover. Returns where it is then. */
export function keepWorkdir(run: Run, path: string): string {
  const kept = path.replace(/\.rbh-[^/]*$/, `-${compact(Date.now(), localZone())}`);
  try {
    renameSync(path, kept);
    return kept;
  } catch (error) {
    run.log.warn(
      `${path} cannot be renamed (${reasonOf(error)}); move it away before the next ${run.name} removes it.`,
    );
    return path;
  }
}

/** Removes it. What cannot be removed in time, or at all, is named, and false returned: the next run removes it. */
export async function removeWorkdir(run: Run, path: string): Promise<boolean> {
  const removal = removeTree(path);
  let why = "there was no time left";
  const done = within(run.stop.msUntil(stopBudget.workdir.killAt), removal);
  try {
    if (await done) {
      await removal;
      return true;
    }
  } catch (error) {
    why = reasonOf(error);
  }
  run.log.warn(`The work directory ${path} is not removed (${why}); the next ${run.name} removes it.`);
  return false;
}

/** `rbh-<pid>-<ticks at its start>-<pid namespace>`, then what it is. */
const NAME = /rbh-(\d+)-(\d+)-(\d+)\.(part|work)$/;
/** What another container has not touched for a week is not being written any more. */
const ABANDONED_MS = 7 * 24 * 3600 * 1000;

/** For the end of a name: names this process and no other. */
export function ownMark(kind: "part" | "work"): string {
  return `rbh-${process.pid}-${readStat("self")?.ticks ?? 0}-${namespace()}.${kind}`;
}

/**
 * Removes what dead runs of our user have left in `folder`. Returns the names; what cannot be removed is left. Throws the
 * error of readdir(2), but for a folder that is missing.
 */
export async function removeDeadWorkDirs(folder: string, now = Date.now()): Promise<string[]> {
  const removed: string[] = [];
  for (const name of names(folder)) {
    const path = `${folder}/${name}`;
    try {
      if (!NAME.test(name)) continue;
      const { uid, mtimeMs } = lstatSync(path);
      if (uid !== process.geteuid?.() || !isLeftover(name, now - mtimeMs)) continue;
      await removeTree(path);
      removed.push(name);
    } catch {
      // Gone this very moment, or with a mount in it: the run does not depend on it.
    }
  }
  return removed;
}

function isLeftover(name: string, ageMs: number): boolean {
  const [, pid, ticks, home] = NAME.exec(name) ?? [];
  if (home === undefined) return false;
  if (home !== namespace() || home === UNKNOWN) return ageMs > ABANDONED_MS;
  const stat = readStat(Number(pid));
  return stat === undefined || stat.ticks !== Number(ticks);
}

function names(folder: string): string[] {
  try {
    demandAnswer(folder);
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
