/**
 * The children (restic, rclone) that runs of this host's process space have started: which run a living one belongs to,
 * and which have died with their run, as markers and history name them. What restic left in a repository is theirs.
 */

import { readdirSync } from "node:fs";
import { epochOfTicks, isAncestor, pidSpace, readStat } from "../process/proc.ts";
import { newestRuns } from "./history.ts";
import { type ChildMark, isRunning, markerPath, type RunMark, readMark } from "./marker.ts";

export interface DeadChild {
  readonly pid: number;
  /** Epoch milliseconds. */
  readonly startedMs: number;
  /** When its death was known, in epoch milliseconds: it did nothing later. */
  readonly knownMs: number;
  readonly runId: string;
}

/** Runs of the history that are looked at: a lock that is older than these runs is judged by its age. */
const LOOKED_BACK = 200;

/** Children of this boot and pid namespace that are gone; one whose pid another process has by now is gone too. */
export function deadChildren(lockDir: string, logDir: string, nowMs: number): DeadChild[] {
  const space = pidSpace();
  if (space === "") return [];
  const named = [
    ...marksIn(lockDir).map(([, { child, run_id }]) => ({ child, runId: run_id, knownMs: nowMs })),
    ...newestRuns(logDir, LOOKED_BACK).flatMap((line) => childIn(line) ?? []),
  ];
  return named.flatMap(({ child, runId, knownMs }) => {
    if (child?.pid_space !== space || isStill(child)) return [];
    const startedMs = epochOfTicks(child.ticks);
    return startedMs === undefined ? [] : [{ pid: child.pid, startedMs, knownMs, runId }];
  });
}

/** The run that is alive and whose child is the process `pid`, or has started it: its job and its mark. */
export function runOfChild(lockDir: string, pid: number): { job: string; mark: RunMark } | undefined {
  for (const [job, mark] of marksIn(lockDir)) {
    const { child } = mark;
    if (child === undefined || !isRunning(mark) || !isStill(child)) continue;
    if (child.pid === pid || isAncestor(child.pid, pid)) return { job, mark };
  }
  return undefined;
}

/** The marks of all runs that are alive or have died, with the names of their jobs. */
function marksIn(lockDir: string): (readonly [string, RunMark])[] {
  const end = markerPath("", "").slice(1);
  try {
    return readdirSync(lockDir)
      .filter((name) => name.endsWith(end))
      .flatMap((name) => {
        const job = name.slice(0, -end.length);
        const mark = readMark(markerPath(lockDir, job));
        return mark === undefined ? [] : [[job, mark] as const];
      });
  } catch {
    // LOCK_DIR is gone, or not ours to read: nothing is known of other runs.
    return [];
  }
}

function isStill({ pid, ticks }: ChildMark): boolean {
  const stat = readStat(pid);
  return stat !== undefined && stat.ticks === ticks && stat.state !== "Z" && stat.state !== "X";
}

/** The child that died with the run, in a line of the history. */
function childIn(line: string): { child: ChildMark; runId: string; knownMs: number } | undefined {
  if (!line.includes('"killed_child":{')) return undefined;
  try {
    const { killed_child: child, run_id, finished_epoch } = JSON.parse(line);
    // The epoch has been cut to a second.
    return { child, runId: String(run_id), knownMs: (Number(finished_epoch) + 1) * 1000 };
  } catch {
    // Half a line, torn by a power cut.
    return undefined;
  }
}
