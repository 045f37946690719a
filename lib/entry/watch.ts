/**
 * The main part of a container's life: starts the scheduler, shows the jobs' log, and waits for a signal or for the
 * scheduler's death. Then ends what is still running: SIGTERM first, SIGKILL when STOP_TIMEOUT has passed.
 */

import { readdirSync, realpathSync } from "node:fs";
import type { Context } from "../context.ts";
import { EXIT, reasonOf } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { leaveLastWords } from "../log/stdout.ts";
import { descendantsOf, isAlive } from "../process/proc.ts";
import { type Signal, signal } from "../process/spawn.ts";
import { type Stop, sleep, within } from "../process/stop.ts";
import { crontabPath } from "../schedule/schedule.ts";
import {
  discardEntryMark,
  type EntryMark,
  processMark,
  readEntryMark,
  writeEntryMark,
} from "../state/alive.ts";
import { isRunning, markerPath, owedBy, readMark } from "../state/marker.ts";
import { startScheduler } from "./crond.ts";
import { Follower } from "./follow.ts";
import type { Scheduler } from "./start.ts";

/** How often cron.log is read, in milliseconds. */
const FOLLOW_MS = 1000;
/** Milliseconds. Without a scheduler the container must exit soon to be restarted; restic still needs a moment. */
const DEAD_MS = 1500;

/** Resolves to entry's exit code. `cronLog` is followed; undefined when jobs write to stdout themselves. */
export async function watch(
  context: Context,
  stop: Stop,
  crontab: string,
  lockDir: string,
  cronLog: string | undefined,
): Promise<number> {
  const { log } = context;
  // Opened before the first job starts, so that its first line is shown.
  const followed = cronLog === undefined ? undefined : following(context, cronLog);
  const settling = settlingDeaths(context, stop, lockDir);
  let marked: { end(): void } | undefined;
  try {
    const scheduler = await startScheduler(context, crontab);
    marked = marking(context, lockDir, {
      entry: processMark(),
      scheduler: processMark(scheduler.pid),
      crontab: { path: crontabPath(context.settings), text: crontab },
      since_epoch: Math.floor(Date.now() / 1000),
    });
    const end = await Promise.race([whenStopped(stop), scheduler.died.then((died) => ({ died }))]);
    return "signal" in end
      ? await endBySignal(context, stop, scheduler, end.signal, lockDir)
      : await endByDeath(context, stop, end.died, lockDir);
  } finally {
    await settling.end();
    followed?.end();
    marked?.end();
    log.info("entry exits.");
  }
}

/** How often entry looks whether its mark still stands, in milliseconds. */
const MARK_MS = 10_000;

/** Keeps entry's mark in LOCK_DIR, by which `status --alive` judges; it comes back where someone empties the folder. */
function marking({ log }: Context, lockDir: string, mark: EntryMark) {
  let said = "";
  const write = () => {
    try {
      writeEntryMark(lockDir, mark);
      said = "";
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== said)
        log.warn(
          `entry cannot leave its mark in ${lockDir}: ${reason}. status --alive will take it for dead.`,
        );
      said = reason;
    }
  };
  // What stands there may be of the container before.
  write();
  const timer = setInterval(() => {
    if (readEntryMark(lockDir)?.entry.pid !== process.pid) write();
  }, MARK_MS);
  return {
    end() {
      clearInterval(timer);
      discardEntryMark(lockDir);
    },
  };
}

/** How often markers are looked at, in milliseconds. */
const DEATHS_MS = 1000;

/** Runs the post-hooks of runs that die: a frozen application must not wait for the next run. */
function settlingDeaths(context: Context, stop: Stop, lockDir: string) {
  /** By the dead run's id: since when it has been seen dead. */
  const seen = new Map<string, number>();
  const busy = new Map<string, Promise<void>>();
  const settle = async (job: string, runId: string) => {
    const since = seen.get(runId) ?? performance.now();
    seen.set(runId, since);
    const own = context.forJob(job);
    try {
      const { settleDeath } = await import("../run/died.ts");
      await settleDeath(own, stop, performance.now() - since);
    } catch (error) {
      own.log.error(`The post-hooks of run ${runId}, which died, cannot be run: ${reasonOf(error)}`);
      seen.set(runId, Number.POSITIVE_INFINITY);
    }
  };
  const look = () => {
    if (stop.signal !== undefined) return;
    for (const job of namesIn(lockDir)) {
      const mark = readMark(markerPath(lockDir, job));
      if (mark === undefined || busy.has(job) || isRunning(mark) || owedBy(mark) === undefined) continue;
      if (seen.get(mark.run_id) === Number.POSITIVE_INFINITY) continue;
      busy.set(
        job,
        settle(job, mark.run_id).finally(() => busy.delete(job)),
      );
    }
  };
  const timer = setInterval(look, DEATHS_MS);
  return {
    /** Resolves when those that have begun have ended, within STOP_TIMEOUT. */
    async end() {
      clearInterval(timer);
      const ms = context.settings.seconds("STOP_TIMEOUT") * 1000;
      await within(Math.min(ms, stop.msUntil(1)), Promise.all(busy.values()));
    },
  };
}

/** A log that cannot be read (a dead mount) must not end the schedule: it is warned of, once. */
function following({ log }: Context, path: string) {
  const follower = new Follower(path);
  let said = "";
  const look = () => {
    try {
      follower.look();
      said = "";
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== said) log.warn(`${path} cannot be read: ${reason}. The jobs' log is not shown here.`);
      said = reason;
    }
  };
  const timer = setInterval(look, FOLLOW_MS);
  return {
    end() {
      clearInterval(timer);
      look();
      follower.close();
    },
  };
}

async function endBySignal(
  { log, settings }: Context,
  stop: Stop,
  scheduler: Scheduler,
  signal: Signal,
  lockDir: string,
) {
  log.info(
    `Received ${signal}: starting no more jobs; running ones have ${settings.seconds("STOP_TIMEOUT")} s to exit.`,
  );
  const end = performance.now() + settings.seconds("STOP_TIMEOUT") * 1000;
  const jobs = await scheduler.stop();
  await endWorkers(lockDir, jobs, stop, () => end - performance.now(), log);
  return EXIT.ok;
}

async function endByDeath({ log }: Context, stop: Stop, died: string, lockDir: string) {
  const message = `${died}: no more backups would be made. Exiting so that the container is restarted.`;
  log.error(message);
  leaveLastWords(log.mask(`entry: ${message}`));
  const end = performance.now() + DEAD_MS;
  await endWorkers(lockDir, [], stop, () => end - performance.now(), log);
  return EXIT.failed;
}

function whenStopped(stop: Stop): Promise<{ signal: Signal }> {
  return new Promise((resolve) => {
    stop.listen(() => stop.signal && resolve({ signal: stop.signal }));
  });
}

/** How often the running processes are looked up, in milliseconds. */
const LOOK_MS = 50;
/** Milliseconds. After a second signal a worker kills its children, and writes its record. */
const FORCED_MS = 1000;
/** Milliseconds that killed processes have to disappear: one in uninterruptible sleep never does. */
const GONE_MS = 300;

/** A running worker, found by its marker. */
interface Running {
  readonly pid: number;
  readonly name: string;
}

/** Every running worker, whether crond started it or an operator by `docker exec`. */
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
    // LOCK_DIR is gone with its tmpfs: no worker has a marker, and only the scheduler's jobs are known.
    return [];
  }
}

/**
 * Sends SIGTERM to the workers and to `jobs`, the pids that the scheduler has started. Resolves when all have exited,
 * or were killed when `msLeft` reached 0. A second signal is passed on: it ends a worker at once.
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
    log.info(`Sending SIGTERM to ${name} (pid ${pid}).`);
    signal(pid, "SIGTERM");
  };
  let patience = Number.POSITIVE_INFINITY;
  const leftNow = () => Math.min(msLeft(), patience - performance.now());
  for (;;) {
    // In every round: a worker that had just started may not have had its marker yet.
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

/** Is it a link of this program? restic itself is left to its worker, which knows how to stop it. */
function isOurs(pid: number): boolean {
  try {
    return realpathSync(`/proc/${pid}/exe`) === realpathSync(process.execPath) && isAlive(pid);
  } catch {
    // It has exited.
    return false;
  }
}

async function kill(pids: readonly number[], names: ReadonlyMap<number, string>, log: Log): Promise<void> {
  const named = pids.map((pid) => `${names.get(pid) ?? "a job"} (pid ${pid})`);
  log.error(`${named.join(", ")} did not exit in time; killing ${pids.length === 1 ? "it" : "them"}.`);
  const all = [...pids, ...descendantsOf(pids)];
  for (const pid of all) signal(pid, "SIGKILL");
  const end = performance.now() + GONE_MS;
  while (all.some(isAlive) && performance.now() < end) await sleep(LOOK_MS);
}
