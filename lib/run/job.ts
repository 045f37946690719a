/**
 * The life of a run:
 *
 *   lock → per-run log opened → pre-hooks → work → record, history … → post-hooks
 *        → record completed → lock released → exit with the work's exit code
 */

import { formatDuration } from "../duration.ts";
import { EXIT, Failure, reasonOf } from "../errors.ts";
import { copyWhole, discard, replaceFile, temporaryOf } from "../files.ts";
import type { HookResult } from "../hooks/execute.ts";
import { exitCodeOfSignal } from "../process/spawn.ts";
import { Stop } from "../process/stop.ts";
import { turn } from "../process/timer.ts";
import { stamp } from "../time/format.ts";
import { localZone } from "../time/zone.ts";
import { appendHistory, historyPath } from "./history.ts";
import { hookEnvironment, resultEnvironment } from "./hook-environment.ts";
import { freeLock, type Lock, signLock, takeLock } from "./lock.ts";
import { Marker, type RunMark } from "./marker.ts";
import { runPhase } from "./phase.ts";
import { header, masked, type RunRecord, type Status } from "./record.ts";
import { type Outcome, Run } from "./run.ts";
import { type Scene, sceneOf, shownRepository } from "./scene.ts";
import { skip } from "./skip.ts";
import { forgetSkips, skipsSoFar } from "./skips.ts";

export type Work = (run: Run) => Promise<Outcome>;

/** A pre-hook that runs when the stop comes is ended at once; a post-hook may undo what it has to undo. */
const PRE_SHARE = { ask: 0, kill: 0.25 };
const POST_SHARE = { ask: 0.85, kill: 0.95 };

/**
 * Lives one run of worker `job` and resolves to its exit code. `held` is the lock that locked_run has taken
 * for us; without it we take our own, and exit with 75 when somebody else has it.
 */
export async function liveRun(job: string, held: Lock | undefined, work: Work): Promise<number> {
  const scene = sceneOf(job);
  const path = `${scene.lockDir}/${job}.lock`;
  const busy = (running?: RunMark) => {
    const exitCode = held === undefined ? EXIT.busy : EXIT.ok;
    skip(scene, path, exitCode, running);
    return exitCode;
  };
  const skipsBefore = skipsSoFar(scene.lockDir, job);
  let lock: Lock | undefined;
  try {
    lock = await takeLock(path, process.env, held);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return new Job(scene, undefined).fail(error);
  }
  if (lock === undefined) return busy();
  const job_ = new Job(scene, lock);
  const claimed = job_.claim();
  if (claimed.alive !== undefined) return busy(claimed.alive);
  // locked_run, which took this lock for this job, has forgotten them by then.
  if (lock !== held && lock.inherited !== job) forgetSkips(scene.lockDir, job, skipsBefore);
  return job_.live(work, claimed.died);
}

/** What the work came to, and when. */
interface Ending extends Outcome {
  readonly status: Status;
  readonly startedMs: number;
  readonly finishedMs: number;
  readonly error?: string;
}

class Job {
  private readonly startedMs = Date.now();
  private readonly stop: Stop;
  private readonly marker: Marker;
  private readonly run: Run;
  private readonly hooks: HookResult[] = [];

  constructor(
    private readonly scene: Scene,
    private readonly lock: Lock | undefined,
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
    if (died !== undefined) this.reportDeath(died);
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

    marker.update({ phase: "work" });
    const worked = await this.endingOf(work);

    marker.update({ phase: "record" });
    this.leave(this.record(worked));
    // A signal that came while we waited for the disk is heard now, before the post-hooks are told how it went.
    await turn();
    const ending = this.stopped(worked);
    if (ending !== worked) this.leave(this.record(ending, worked));

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
  fail(failure: Failure): number {
    const { scene, startedMs } = this;
    scene.log.error(failure.message);
    const record = this.record({
      exitCode: failure.exitCode,
      status: "failed",
      startedMs,
      finishedMs: Date.now(),
      error: failure.message,
    });
    this.leave(record);
    this.remember(record);
    return failure.exitCode;
  }

  private async runHooks(plan: Omit<Parameters<typeof runPhase>[1], "stop" | "pipePath">): Promise<void> {
    const pipePath = `${this.scene.lockDir}/${this.scene.identity.job}.pipe`;
    this.hooks.push(...(await runPhase(this.scene, { ...plan, stop: this.stop, pipePath })));
  }

  private async endingOf(work: Work): Promise<Ending> {
    const { stop, run } = this;
    const startedMs = Date.now();
    run.begin();
    const outcome: Outcome & { error?: string } =
      stop.signal === undefined ? await this.attempt(work) : { exitCode: exitCodeOfSignal(stop.signal) };
    const finishedMs = Date.now();
    const plain = { ...outcome, startedMs, finishedMs };
    if (stop.signal !== undefined) {
      return { ...plain, exitCode: exitCodeOfSignal(stop.signal), status: "interrupted" };
    }
    if (run.timedOut) return { ...plain, exitCode: EXIT.timedOut, status: "timed_out" };
    return { ...plain, status: outcome.status ?? (outcome.exitCode === 0 ? "ok" : "failed") };
  }

  /** Whatever the work throws becomes its exit code: here and nowhere else. */
  private async attempt(work: Work): Promise<Outcome & { error?: string }> {
    const { log } = this.scene;
    try {
      return await work(this.run);
    } catch (error) {
      if (error instanceof Failure) {
        log.error(error.message);
        return { exitCode: error.exitCode, error: error.message };
      }
      const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.error(`This is a bug in restic-backup-helper; please report it with these lines: ${trace}`);
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
  private async close(worked: Ending): Promise<number> {
    const { scene, marker } = this;
    const { log, identity } = scene;
    const last = this.stopped(worked);
    const record = this.record(last, worked);
    const said = `${identity.job} finished: ${last.status}, exit ${last.exitCode}, ${formatDuration(record.duration_seconds)}`;
    if (last.status === "ok") log.info(said);
    else if (last.status === "warning") log.warn(said);
    else log.error(said);
    this.leave(record);
    this.remember(record);
    marker.release();
    if (this.lock !== undefined && this.run.leavesLock) await freeLock(this.lock, scene.env);
    log.closeFile();
    return last.exitCode;
  }

  /** A stop that came after the work is the run's end all the same; what the work did stands. */
  private stopped(worked: Ending): Ending {
    const { signal } = this.stop;
    if (signal === undefined || worked.status === "interrupted") return worked;
    return { ...worked, exitCode: exitCodeOfSignal(signal), status: "interrupted" };
  }

  private record(last: Ending, work: Ending = last): RunRecord {
    const { scene, stop, run, hooks } = this;
    const repository = shownRepository(scene.settings);
    return masked(
      {
        ...header(scene.identity, last.startedMs, last.finishedMs),
        exit_code: last.exitCode,
        status: last.status,
        ...(last.status === "interrupted" && stop.signal !== undefined ? { signal: stop.signal } : {}),
        ...(last.status === "timed_out" ? { timed_out: true as const } : {}),
        ...(last.exitCode === work.exitCode ? {} : { work_exit_code: work.exitCode }),
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

  private remember(entry: object): void {
    const { log, logDir } = this.scene;
    try {
      appendHistory(logDir, entry);
    } catch (error) {
      log.lost(historyPath(logDir), error);
    }
  }

  private reportDeath(died: RunMark): void {
    const { identity, log, mask, recordPath } = this.scene;
    discard(temporaryOf(recordPath, died.pid));
    const since = stamp(died.started_epoch * 1000, localZone());
    log.warn(
      `The run before this one died without a record: run ${died.run_id}, pid ${died.pid}, started ${since}, ` +
        `last seen in phase ${died.phase}. If it was killed, restic may have left its lock in the repository.`,
    );
    const ran = { ...header({ ...identity, runId: died.run_id }, died.started_epoch * 1000, this.startedMs) };
    this.remember(masked({ ...ran, status: "died", phase: died.phase, pid: died.pid, hooks: [] }, mask));
  }

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
