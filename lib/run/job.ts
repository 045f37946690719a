/**
 * The life of a run:
 *
 *   lock → per-run log opened → pre-hooks → work → record, metrics, mail, webhook → post-hooks
 *        → record completed, history → lock released → exit with the work's exit code
 */

import { formatDuration } from "../duration.ts";
import { environment } from "../environment.ts";
import { bugReport, EXIT, Failure, reasonOf } from "../errors.ts";
import { copyWhole, discard, replaceFile, temporaryOf } from "../files.ts";
import type { HookResult } from "../hooks/execute.ts";
import type { Notifier } from "../notify/notifier.ts";
import { exitCodeOfSignal } from "../process/spawn.ts";
import { Stop } from "../process/stop.ts";
import { turn } from "../process/timer.ts";
import { leaveLastWords } from "../termination.ts";
import { stamp } from "../time/format.ts";
import { localZone } from "../time/zone.ts";
import { notifierOf } from "./announce.ts";
import type { Held } from "./command.ts";
import { newestOfHistory } from "./history.ts";
import { hookEnvironment, resultEnvironment } from "./hook-environment.ts";
import { freeLock, type Lock, signLock, takeLock, unsignLock } from "./lock.ts";
import { Marker, type RunMark } from "./marker.ts";
import { runPhase } from "./phase.ts";
import { header, masked, type RunRecord, type Status } from "./record.ts";
import { remember } from "./remember.ts";
import { type Outcome, Run } from "./run.ts";
import { lockDirectory, lockPathOf, type Scene, sceneOf, shownRepository } from "./scene.ts";
import { skip } from "./skip.ts";
import { forgetSkips, skipsSoFar } from "./skips.ts";

export type Work = (run: Run, scene: Scene) => Promise<Outcome>;

export interface LifeOptions {
  /** The worker tells the world by itself (notify-test): the run sends no mail, webhook or ping of its own. */
  readonly quiet?: boolean;
}

/** A pre-hook that runs when the stop comes is ended at once; a post-hook may undo what it has to undo. */
const PRE_SHARE = { ask: 0, kill: 0.25 };
const POST_SHARE = { ask: 0.85, kill: 0.95 };
/** Lines of the history among which the last word of a run that has died since is looked for. */
const DEATH_LOOKED_BACK = 200;

/**
 * Lives one run of worker `job` and resolves to its exit code. `held` is what locked_run has taken for us,
 * its lock first of all; without it we take our own, and exit with 75 when somebody else has it.
 */
export async function liveRun(
  job: string,
  held: Held | undefined,
  work: Work,
  { quiet = false }: LifeOptions = {},
): Promise<number> {
  const path = lockPathOf(job);
  const skipsBefore = skipsSoFar(lockDirectory(), job);
  // flock(1) works while we set the scene.
  const taking = takeLock(path, environment, held?.lock);
  const scene = held?.scene.identity.job === job ? held.scene : sceneOf(job);
  const busy = async (running?: RunMark) => {
    const exitCode = held === undefined ? EXIT.busy : EXIT.ok;
    await skip(scene, path, exitCode, running);
    return exitCode;
  };
  let lock: Lock | undefined;
  try {
    lock = await taking;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return new Job(scene, undefined, quiet).fail(error);
  }
  if (lock === undefined) return busy();
  const job_ = new Job(scene, lock, quiet);
  const claimed = job_.claim();
  if (claimed.alive !== undefined) return busy(claimed.alive);
  // locked_run, which took this lock for this job, has forgotten them by then.
  if (lock !== held?.lock && lock.inherited !== job) forgetSkips(scene.lockDir, job, skipsBefore);
  return job_.live(work, claimed.died);
}

/** What the work came to, and when. */
interface Ending extends Outcome {
  readonly status: Status;
  readonly startedMs: number;
  readonly finishedMs: number;
  readonly error?: string;
  /** What the work itself came to, where a stop gave the run another exit code. */
  readonly workExitCode?: number;
}

class Job {
  private readonly startedMs = Date.now();
  private readonly stop: Stop;
  private readonly marker: Marker;
  private readonly run: Run;
  private readonly hooks: HookResult[] = [];
  private notifier: Notifier | undefined;

  constructor(
    private readonly scene: Scene,
    private readonly lock: Lock | undefined,
    private readonly quiet: boolean,
  ) {
    const { settings, identity, log, lockDir, env } = scene;
    this.stop = new Stop(() => settings.seconds("STOP_TIMEOUT") * 1000);
    this.marker = new Marker(lockDir, identity.job, identity.runId, Math.floor(this.startedMs / 1000));
    this.run = new Run(identity.job, identity.runId, log, settings, this.stop, this.marker, env, lock?.fd);
  }

  /** Says that this run is alive; see Marker.claim. From here on a signal stops it in good order. */
  claim(): { died?: RunMark; alive?: RunMark } {
    this.stop.install();
    return this.marker.claim();
  }

  async live(work: Work, died: RunMark | undefined): Promise<number> {
    const { scene, stop, marker } = this;
    const { identity, log } = scene;
    if (this.lock !== undefined) signLock(this.lock, this.signature());
    log.openFile(scene.logPath);
    log.info(`${identity.job} started (run ${identity.runId}, release ${identity.release})`);
    if (died !== undefined) await this.reportDeath(died);
    this.notifier = notifierOf(scene, stop, { died: died !== undefined, quiet: this.quiet });
    stop.listen(() => this.tellOfStop());

    marker.update({ phase: "pre-hooks" });
    const pre = `pre-${identity.job}`;
    const hadTheirTurn = stop.signal === undefined;
    await this.runHooks({
      phase: pre,
      argument: undefined,
      env: hookEnvironment(scene),
      share: PRE_SHARE,
      skipOnStop: true,
    });

    await this.notifier?.begin();
    marker.update({ phase: "work" });
    const worked = await this.endingOf(work);

    marker.update({ phase: "record" });
    this.leave(this.record(worked));
    // A signal that came while we waited for the disk is heard now, before the post-hooks are told how it went.
    await turn();
    const ending = this.interrupted(worked);
    const record = this.record(ending);
    if (ending !== worked) this.leave(record);
    await this.notifier?.tell(record, this.skips);

    marker.update({ phase: "post-hooks" });
    if (hadTheirTurn) {
      await this.runHooks({
        phase: `post-${identity.job}`,
        argument: String(ending.exitCode),
        env: { ...hookEnvironment(scene), ...resultEnvironment(scene, this.resultOf(ending)) },
        share: POST_SHARE,
        skipOnStop: false,
      });
    }
    return this.close(worked);
  }

  /** A run that could not begin: recorded like any other, but nothing of it was run. */
  async fail(failure: Failure): Promise<number> {
    const { scene, startedMs } = this;
    scene.log.error(failure.message);
    leaveLastWords(scene.mask(`${scene.identity.job}: ${failure.message}`));
    const record = this.record({
      exitCode: failure.exitCode,
      status: "failed",
      startedMs,
      finishedMs: Date.now(),
      error: failure.message,
    });
    this.leave(record);
    await remember(scene, record);
    this.notifier = notifierOf(scene, this.stop, { died: false, quiet: this.quiet });
    await this.notifier?.tell(record, this.skips);
    return failure.exitCode;
  }

  private async runHooks(plan: Omit<Parameters<typeof runPhase>[1], "stop" | "pipePath">): Promise<void> {
    const { scene, stop, hooks } = this;
    const pipePath = `${scene.lockDir}/${scene.identity.job}.pipe`;
    try {
      hooks.push(...(await runPhase(scene, { ...plan, stop, pipePath })));
    } catch (error) {
      // Whatever went wrong, it was a hook's affair: it must not cost the backup.
      this.scene.log.error(bugReport(error));
      hooks.push({ phase: plan.phase, path: scene.settings.folder("HOOKS_DIR"), error: reasonOf(error) });
    }
  }

  private async endingOf(work: Work): Promise<Ending> {
    const { stop, run } = this;
    const startedMs = Date.now();
    run.begin();
    if (stop.signal !== undefined) {
      return {
        exitCode: exitCodeOfSignal(stop.signal),
        status: "interrupted",
        startedMs,
        finishedMs: startedMs,
      };
    }
    const outcome = await this.attempt(work);
    const status = outcome.status ?? (outcome.exitCode === 0 ? "ok" : "failed");
    const ending: Ending = { ...outcome, status, startedMs, finishedMs: Date.now() };
    if (run.timedOut && stop.signal === undefined) {
      return { ...ending, exitCode: EXIT.timedOut, status: "timed_out" };
    }
    return this.interrupted(ending);
  }

  /** A stop gives the run its exit code, whenever it came; what the work came to stays known. */
  private interrupted(ending: Ending): Ending {
    const { signal, forced } = this.stop;
    if (signal === undefined || ending.status === "interrupted") return ending;
    if (ending.endedByStop && !forced) return ending;
    const exitCode = exitCodeOfSignal(signal);
    return { ...ending, exitCode, status: "interrupted", workExitCode: ending.exitCode };
  }

  /** Whatever the work throws becomes its exit code: here and nowhere else. */
  private async attempt(work: Work): Promise<Outcome & { error?: string }> {
    const { log, settings } = this.scene;
    try {
      settings.refuseDoubles();
      return await work(this.run, this.scene);
    } catch (error) {
      if (error instanceof Failure) {
        log.error(error.message);
        return { exitCode: error.exitCode, error: error.message };
      }
      log.error(bugReport(error));
      return { exitCode: EXIT.internal, error: reasonOf(error) };
    }
  }

  private tellOfStop(): void {
    const { log, settings } = this.scene;
    if (this.stop.forced) log.warn("A second signal came: everything is ended at once.");
    else {
      const budget = formatDuration(settings.seconds("STOP_TIMEOUT"));
      log.warn(`Told to stop by ${this.stop.signal}: the run ends within ${budget} (STOP_TIMEOUT).`);
    }
  }

  /** The last words: the record completed with what the post-hooks did, the history, the exit code. */
  private async close(ending: Ending): Promise<number> {
    const { scene, marker } = this;
    const { log, identity } = scene;
    const last = this.interrupted(ending);
    const record = this.record(last);
    const said = `${identity.job} finished: ${last.status}, exit ${last.exitCode}, ${formatDuration(record.duration_seconds)}`;
    if (last.status === "ok") log.info(said);
    else if (last.status === "warning") log.warn(said);
    else log.error(said);
    leaveLastWords(scene.mask(last.error === undefined ? said : `${said}: ${last.error}`));
    this.leave(record);
    await this.notifier?.complete(record, this.skips);
    await remember(scene, record);
    marker.release();
    if (this.lock !== undefined) {
      unsignLock(this.lock);
      if (this.run.leavesLock) await freeLock(this.lock, scene.env);
    }
    log.closeFile();
    return last.exitCode;
  }

  private record(last: Ending): RunRecord {
    const { scene, stop, run, hooks } = this;
    const repository = shownRepository(scene.settings);
    return masked(
      {
        ...header(scene.identity, last.startedMs, last.finishedMs),
        exit_code: last.exitCode,
        status: last.status,
        ...(last.status === "interrupted" && stop.signal !== undefined ? { signal: stop.signal } : {}),
        ...(last.status === "timed_out" ? { timed_out: true as const } : {}),
        ...(last.workExitCode === undefined ? {} : { work_exit_code: last.workExitCode }),
        ...(last.error === undefined ? {} : { error: last.error }),
        ...(repository === undefined ? {} : { repository }),
        ...run.facts,
        hooks,
      },
      scene.mask,
    );
  }

  /** Writes the record, and keeps the log of a failure where the next run does not begin it anew. */
  private leave(record: RunRecord): void {
    const { log, recordPath, logPath } = this.scene;
    try {
      replaceFile(recordPath, `${JSON.stringify(record, null, 2)}\n`);
    } catch (error) {
      log.lost(`The record ${recordPath}`, error);
    }
    if (record.exit_code === 0 || !log.hasFile) return;
    const copy = logPath.replace(/-last\.log$/, "-error-last.log");
    try {
      copyWhole(logPath, copy);
    } catch (error) {
      log.lost(`The copy ${copy} of this failure's log`, error);
    }
  }

  private async reportDeath(died: RunMark): Promise<void> {
    const { identity, log, mask, logDir, recordPath } = this.scene;
    discard(temporaryOf(recordPath, died.pid));
    // Killed in the instant between its line in the history and its last step, it has told all that there is.
    const name = `"run_id":${JSON.stringify(died.run_id)}`;
    if (newestOfHistory(logDir, DEATH_LOOKED_BACK).some((line) => line.includes(name))) return;
    const since = stamp(died.started_epoch * 1000, localZone());
    log.warn(
      `The run before this one died without a record: run ${died.run_id}, pid ${died.pid}, started ${since}, ` +
        `last seen in phase ${died.phase}. If it was killed, restic may have left its lock in the repository.`,
    );
    const ran = { ...header({ ...identity, runId: died.run_id }, died.started_epoch * 1000, this.startedMs) };
    const entry = { ...ran, status: "died", phase: died.phase, pid: died.pid, hooks: [] };
    await remember(this.scene, masked(entry, mask));
  }

  private readonly skips = (): number => skipsSoFar(this.scene.lockDir, this.scene.identity.job);

  private signature(): string {
    const since = stamp(this.startedMs, localZone());
    return `pid ${process.pid}\nsince ${since}\nrun ${this.scene.identity.runId}\n`;
  }

  private resultOf({ exitCode, status, startedMs, finishedMs }: Ending) {
    const snapshot = this.run.facts.snapshot_id;
    return {
      exitCode,
      status,
      durationSeconds: Math.round((finishedMs - startedMs) / 1000),
      snapshotId: typeof snapshot === "string" ? snapshot : undefined,
    };
  }
}
