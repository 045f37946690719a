/** The long part of a container's life: jobs are started, their log is shown, a signal ends it all. */

import { EXIT, reasonOf } from "../errors.ts";
import type { Signal } from "../process/spawn.ts";
import type { Stop } from "../process/stop.ts";
import { leaveLastWords } from "../termination.ts";
import { Follower } from "./follow.ts";
import type { Scheduler, Start } from "./scene.ts";
import { startScheduler } from "./scheduler.ts";
import { endWorkers } from "./workers.ts";

/** How often cron.log is looked at, in milliseconds. */
const FOLLOW_MS = 1000;
/** Without a scheduler the container must end soon, so that another takes its place; restic still needs a moment. */
const DEAD_MS = 1500;

/** Resolves to entry's exit code. `cronLog` is followed; undefined when jobs write to stdout themselves. */
export async function watch(
  start: Start,
  crontab: string,
  lockDir: string,
  cronLog: string | undefined,
): Promise<number> {
  const { log, stop } = start;
  // Before the first job, so that its first line is seen.
  const followed = cronLog === undefined ? undefined : following(start, cronLog);
  try {
    const scheduler = await startScheduler(start, crontab);
    const end = await Promise.race([stopOf(stop), scheduler.died.then((died) => ({ died }))]);
    return "signal" in end
      ? await endBySignal(start, scheduler, end.signal, lockDir)
      : await endByDeath(start, end.died, lockDir);
  } finally {
    followed?.end();
    log.info("entry ends.");
  }
}

/** A log that cannot be read (a dead mount) must not end the schedule: that is said, once. */
function following({ log }: Start, path: string) {
  const follower = new Follower(path);
  let said = "";
  const look = () => {
    try {
      follower.look();
      said = "";
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== said) log.warn(`${path} cannot be read: ${reason}. What jobs log is not shown here.`);
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

async function endBySignal(start: Start, scheduler: Scheduler, signal: Signal, lockDir: string) {
  const { log, settings, stop } = start;
  log.info(
    `${signal}: no job is started any more; running ones have ${settings.seconds("STOP_TIMEOUT")} s to end.`,
  );
  const end = performance.now() + settings.seconds("STOP_TIMEOUT") * 1000;
  const jobs = await scheduler.stop();
  await endWorkers(lockDir, jobs, stop, () => end - performance.now(), log);
  return EXIT.ok;
}

async function endByDeath({ log, stop }: Start, died: string, lockDir: string) {
  const message = `${died}: no backup would be made any more. This container ends, so that it is started anew.`;
  log.error(message);
  leaveLastWords(log.mask(`entry: ${message}`));
  const end = performance.now() + DEAD_MS;
  await endWorkers(lockDir, [], stop, () => end - performance.now(), log);
  return EXIT.failed;
}

function stopOf(stop: Stop): Promise<{ signal: Signal }> {
  return new Promise((resolve) => {
    stop.listen(() => stop.signal && resolve({ signal: stop.signal }));
  });
}
