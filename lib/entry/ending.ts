/**
 * How the jobs of a container end with it: every worker that runs gets SIGTERM, and is waited for until it has exited or
 * the time is over; then it is killed, with all that it has started.
 */

import { statSync } from "node:fs";
import type { Log } from "../log/log.ts";
import { descendantsOf, isAlive, readStat } from "../process/proc.ts";
import { signal } from "../process/spawn.ts";
import { type Stop, sleep } from "../process/stop.ts";
import { isRunning, markedJobs, markerPath, readMark } from "../state/marker.ts";

/** How often the running processes are looked up, in milliseconds. */
const LOOK_MS = 50;
/** Milliseconds after its first signal from which on another one is a second one to a worker (see Stop), and some more. */
const SECOND_MS = 2100;
/** Milliseconds. After a second signal a worker kills its children, and writes its record. */
const FORCED_MS = 1000;
/** Milliseconds that killed processes have to disappear: one in uninterruptible sleep never does. */
const GONE_MS = 300;

/** A running worker, found by its marker. */
interface Running {
  readonly pid: number;
  readonly name: string;
}

/** Every running worker, whether crond started it or an operator by `docker exec`. Whatever a marker says, no stranger. */
function runningWorkers(lockDir: string): Running[] {
  return markedJobs(lockDir).flatMap((name) => {
    const mark = readMark(markerPath(lockDir, name));
    return mark !== undefined && isRunning(mark) && isOurs(mark.pid) ? [{ pid: mark.pid, name }] : [];
  });
}

/** A worker that has been asked to end. Times in milliseconds of performance.now(). */
interface Asked {
  readonly name: string;
  /** Its start: a later process with its pid is a stranger. */
  readonly ticks: number | undefined;
  readonly atMs: number;
  isSaid: boolean;
  isForced: boolean;
}

/** What is to be ended, and how. */
export interface EndPlan {
  readonly lockDir: string;
  /** Pids that the scheduler has started. */
  readonly jobs: readonly number[];
  readonly stop: Stop;
  readonly msLeft: () => number;
  readonly log: Log;
  /** Logged once the first have their signal: a line may wait for a reader of stdout, and they must not. */
  readonly announcement: string;
}

/**
 * Sends SIGTERM to the workers and to `jobs`. Resolves when all have exited, or were killed when `msLeft` reached 0. A
 * second signal is passed on: it ends a worker at once.
 */
export async function endWorkers({ lockDir, jobs, stop, msLeft, log, announcement }: EndPlan): Promise<void> {
  const asked = new Map<number, Asked>();
  const ask = ({ pid, name }: Running) => {
    if (asked.has(pid)) return;
    const ticks = readStat(pid)?.ticks;
    asked.set(pid, { name, ticks, atMs: performance.now(), isSaid: false, isForced: false });
    signal(pid, "SIGTERM");
  };
  let patience = Number.POSITIVE_INFINITY;
  const leftNow = () => Math.min(msLeft(), patience - performance.now());
  for (let round = 0; ; round++) {
    // In every round: a worker that had just started may not have had its marker yet.
    for (const running of runningWorkers(lockDir)) ask(running);
    for (const pid of jobs.filter(isOurs)) ask({ pid, name: "a job" });
    if (round === 0 && announcement !== "") log.info(announcement);
    for (const [pid, each] of asked) {
      if (!each.isSaid) log.info(`Sending SIGTERM to ${each.name} (pid ${pid}).`);
      each.isSaid = true;
    }
    const isSame = (pid: number) => !asked.has(pid) || readStat(pid)?.ticks === asked.get(pid)?.ticks;
    const left = [...asked.keys(), ...jobs].filter((pid) => isAlive(pid) && isSame(pid));
    if (left.length === 0) return;
    if (leftNow() <= 0) return kill(left, asked, log);
    if (stop.forced) patience = Math.min(patience, force(asked));
    await sleep(Math.min(LOOK_MS, leftNow()));
  }
}

/** Sends the second signal where it counts as one by now; returns when they must have exited. */
function force(asked: ReadonlyMap<number, Asked>): number {
  const now = performance.now();
  let until = now;
  for (const [pid, each] of asked) {
    const atMs = each.atMs + SECOND_MS;
    until = Math.max(until, atMs);
    if (each.isForced || now < atMs) continue;
    each.isForced = true;
    signal(pid, "SIGTERM");
  }
  return until + FORCED_MS;
}

/**
 * Is it a link of this program, of our user, and not entry itself, which anybody can name in a marker? restic itself is
 * left to its worker, which knows how to stop it.
 */
function isOurs(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    const [theirs, ours] = [statSync(`/proc/${pid}/exe`), statSync("/proc/self/exe")];
    const isLink = theirs.ino === ours.ino && theirs.dev === ours.dev;
    return isLink && statSync(`/proc/${pid}`).uid === process.geteuid?.() && isAlive(pid);
  } catch {
    // It has exited, or is another user's.
    return false;
  }
}

async function kill(pids: readonly number[], names: ReadonlyMap<number, Asked>, log: Log): Promise<void> {
  const named = pids.map((pid) => `${names.get(pid)?.name ?? "a job"} (pid ${pid})`);
  log.error(`${named.join(", ")} did not exit in time; killing ${pids.length === 1 ? "it" : "them"}.`);
  const all = [...pids, ...descendantsOf(pids)];
  for (const pid of all) signal(pid, "SIGKILL");
  const end = performance.now() + GONE_MS;
  while (all.some(isAlive) && performance.now() < end) await sleep(LOOK_MS);
}
