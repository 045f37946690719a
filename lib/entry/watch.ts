/**
 * The main part of a container's life: starts the scheduler, shows the jobs' log, and waits for a signal or for the
 * scheduler's death. Either way what still runs is ended then: SIGTERM first, SIGKILL when STOP_TIMEOUT has passed.
 */

import type { Context } from "../context.ts";
import { EXIT, reasonOf } from "../errors.ts";
import { leaveLastWords } from "../log/stdout.ts";
import type { Signal } from "../process/spawn.ts";
import { after, type Stop, within } from "../process/stop.ts";
import { crontabPath, type Places } from "../schedule/schedule.ts";
import {
  discardEntryMark,
  type EntryMark,
  processMark,
  readEntryMark,
  writeEntryMark,
} from "../state/alive.ts";
import { tellFailedStart, tellStarted } from "./alert.ts";
import { Complaints } from "./complaints.ts";
import { startScheduler } from "./crond.ts";
import { Deaths } from "./deaths.ts";
import { endWorkers } from "./ending.ts";
import { Copy } from "./follow.ts";
import type { Scheduler } from "./start.ts";

/** Milliseconds that the scheduler must have lived before all is well again: one that dies at once does so at every start. */
const STARTED_MS = 2000;

/** Resolves to entry's exit code. */
export async function watch(
  context: Context,
  stop: Stop,
  crontab: string,
  { lockDir, cronLog }: Places,
): Promise<number> {
  const { log } = context;
  // Opened before the first job starts, so that its first line is shown.
  const following = follow(context, stop, cronLog);
  const deaths = new Deaths(context, stop, lockDir);
  const complaints = new Complaints(context, stop);
  // The jobs do not wait for a receiver that is slow.
  const cancel = after(
    STARTED_MS,
    () =>
      void tellStarted(context, stop).catch((error) =>
        log.warn(`The notice that all is well again was not sent: ${reasonOf(error)}.`),
      ),
  );
  let marked: { end(): void } | undefined;
  try {
    const scheduler = await startScheduler(context, crontab, complaints);
    marked = marking(context, lockDir, {
      entry: processMark(),
      scheduler: processMark(scheduler.pid),
      crontab: { path: crontabPath(context.settings), text: crontab },
      since_epoch: Math.floor(Date.now() / 1000),
    });
    const end = await Promise.race([whenStopped(stop), scheduler.died.then((died) => ({ died }))]);
    cancel();
    complaints.end();
    return "signal" in end
      ? await endBySignal(context, stop, scheduler, end.signal, lockDir)
      : await endByDeath(context, stop, scheduler, end.died, lockDir);
  } finally {
    await deaths.end();
    await following.end();
    marked?.end();
    log.info("entry exits.");
  }
}

function whenStopped(stop: Stop): Promise<{ signal: Signal }> {
  return new Promise((resolve) => {
    stop.listen(() => stop.signal && resolve({ signal: stop.signal }));
  });
}

async function endBySignal(
  context: Context,
  stop: Stop,
  scheduler: Scheduler,
  signal: Signal,
  lockDir: string,
): Promise<number> {
  const { log, settings } = context;
  const msLeft = budgetOf(context, stop);
  const announcement = `Received ${signal}: starting no more jobs; running ones have ${settings.seconds("STOP_TIMEOUT")} s to exit.`;
  await endWorkers({ lockDir, jobs: await scheduler.stop(), stop, msLeft, log, announcement });
  return EXIT.ok;
}

/** The container must exit to be restarted, but the workers that run end as in any stop. */
async function endByDeath(
  context: Context,
  stop: Stop,
  scheduler: Scheduler,
  died: string,
  lockDir: string,
): Promise<number> {
  const { log, mask } = context;
  const msLeft = budgetOf(context, stop);
  const message = `${died}: no more backups would be made. Exiting so that the container is restarted.`;
  log.error(message);
  leaveLastWords(mask(`entry: ${message}`));
  const telling = tellFailedStart(context, stop, { message, exitCode: EXIT.failed }).catch((error) =>
    log.warn(`The end of the scheduler was not reported: ${reasonOf(error)}.`),
  );
  await endWorkers({ lockDir, jobs: scheduler.jobs(), stop, msLeft, log, announcement: "" });
  await within(Math.max(0, Math.min(msLeft(), stop.msUntil(1))), telling);
  return EXIT.failed;
}

/** How many milliseconds of STOP_TIMEOUT are left, counted from the signal where one has come, else from now. */
function budgetOf({ settings }: Context, stop: Stop): () => number {
  const ms = settings.seconds("STOP_TIMEOUT") * 1000;
  const end = performance.now() + (stop.forced ? ms : Math.min(ms, stop.msUntil(1)));
  return () => end - performance.now();
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

/** How often cron.log is read, in milliseconds. */
const FOLLOW_MS = 1000;
/** Milliseconds that the last of it may take at the end, where no stop has come or little of it is left. */
const LAST_MS = 1000;

/**
 * Shows what jobs append to cron.log. A log that cannot be read (a dead mount) must not end the schedule: it is warned
 * of, once.
 */
function follow({ log, settings }: Context, stop: Stop, path: string) {
  const copy = new Copy(path);
  let said = "";
  const turn = () => {
    try {
      const isAll = copy.turn();
      said = "";
      return isAll;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== said) log.warn(`${path} cannot be read: ${reason}. The jobs' log is not shown here.`);
      said = reason;
      return true;
    }
  };
  let isOver = false;
  let timer: ReturnType<typeof setTimeout>;
  const look = () => {
    if (isOver) return;
    if (turn()) timer = setTimeout(look, FOLLOW_MS);
    else void copy.ready().then(look);
  };
  timer = setTimeout(look, FOLLOW_MS);
  return {
    /** Shows the rest, as long as stdout is read and STOP_TIMEOUT leaves time. */
    async end() {
      isOver = true;
      clearTimeout(timer);
      const ms = Math.min(settings.seconds("STOP_TIMEOUT") * 1000, stop.msUntil(1));
      const until = performance.now() + Math.max(LAST_MS, ms);
      while (!turn()) {
        const left = until - performance.now();
        if (left <= 0 || !(await within(left, copy.ready()))) return;
      }
      copy.close();
    },
  };
}
