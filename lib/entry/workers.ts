/** Ends what still runs when the container stops: politely, then not. */

import { readdirSync, realpathSync } from "node:fs";
import type { Log } from "../log.ts";
import { descendantsOf, isAlive } from "../process/family.ts";
import { signal } from "../process/spawn.ts";
import type { Stop } from "../process/stop.ts";
import { sleep } from "../process/timer.ts";
import { isRunning, markerPath, readMark } from "../run/marker.ts";

/** How often it is looked who still runs, in milliseconds. */
const LOOK_MS = 50;
/** After a second signal a worker kills what it has started, and writes its record. */
const FORCED_MS = 1000;
/** What was killed gets so long to be gone: a process in uninterruptible sleep never is. */
const GONE_MS = 300;

/** A running worker, by its marker. */
interface Running {
  readonly pid: number;
  readonly name: string;
}

/** Every worker that runs, whoever started it: crond, or somebody by `docker exec`. */
export function runningWorkers(lockDir: string): Running[] {
  return namesIn(lockDir).flatMap((name) => {
    const mark = readMark(markerPath(lockDir, name));
    return mark !== undefined && isRunning(mark) ? [{ pid: mark.pid, name }] : [];
  });
}

function namesIn(lockDir: string): string[] {
  try {
    return readdirSync(lockDir).flatMap((file) => /^(.+)\.run\.json$/.exec(file)?.[1] ?? []);
  } catch {
    // Gone with its tmpfs: then no worker can tell of itself, and the scheduler's jobs are all that is known.
    return [];
  }
}

/**
 * SIGTERM to the workers and to `jobs`, which the scheduler has started; resolves when all have ended, or been
 * killed because `msLeft` had come to 0. A second signal is passed on: it ends a worker at once.
 */
export async function endWorkers(
  lockDir: string,
  jobs: readonly number[],
  stop: Stop,
  msLeft: () => number,
  log: Log,
): Promise<void> {
  const asked = new Map<number, string>();
  const ask = ({ pid, name }: Running) => {
    if (asked.has(pid)) return;
    asked.set(pid, name);
    log.info(`SIGTERM to ${name} (pid ${pid}).`);
    signal(pid, "SIGTERM");
  };
  let patience = Number.POSITIVE_INFINITY;
  const leftNow = () => Math.min(msLeft(), patience - performance.now());
  for (;;) {
    // Again and again: one that had just begun may not have told of itself yet.
    for (const running of runningWorkers(lockDir)) ask(running);
    for (const pid of jobs.filter(isOurs)) ask({ pid, name: "a job" });
    const left = [...asked.keys(), ...jobs].filter(isAlive);
    if (left.length === 0) return;
    if (leftNow() <= 0) return kill(left, asked, log);
    if (stop.forced && patience === Number.POSITIVE_INFINITY) {
      patience = performance.now() + FORCED_MS;
      for (const pid of asked.keys()) signal(pid, "SIGTERM");
    }
    await sleep(Math.min(LOOK_MS, leftNow()));
  }
}

/** A link of this program: restic itself is left to its worker, which knows how to ask it. */
function isOurs(pid: number): boolean {
  try {
    return realpathSync(`/proc/${pid}/exe`) === realpathSync(process.execPath) && isAlive(pid);
  } catch {
    // It has ended.
    return false;
  }
}

async function kill(pids: readonly number[], names: ReadonlyMap<number, string>, log: Log): Promise<void> {
  const named = pids.map((pid) => `${names.get(pid) ?? "a job"} (pid ${pid})`);
  log.error(`${named.join(", ")} did not end in time and ${pids.length === 1 ? "is" : "are"} killed.`);
  const all = [...pids, ...descendantsOf(pids)];
  for (const pid of all) signal(pid, "SIGKILL");
  const end = performance.now() + GONE_MS;
  while (all.some(isAlive) && performance.now() < end) await sleep(LOOK_MS);
}
