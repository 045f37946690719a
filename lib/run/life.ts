/**
 * How a run begins: with its lock, or not at all.
 *
 * The life of a run:
 *
 *   lock → per-run log opened → pre-hooks → work → record, metrics, mail, webhook → post-hooks
 *        → record completed, history → lock released → exit with the work's exit code
 *
 * What a worker does that only looks: no lock, no hooks, no record, beside a run that may be under way.
 */

import { Context } from "../context.ts";
import { environment } from "../environment.ts";
import { bugReport, EXIT, Failure, reasonOf } from "../errors.ts";
import type { HookResult } from "../hooks/execute.ts";
import { leaveLastWords } from "../log/termination.ts";
import type { Announced, Notifier } from "../notify/notifier.ts";
import { exitCodeOfSignal } from "../process/spawn.ts";
import { Stop, stopBudget } from "../process/stop.ts";
import { eventLoopTurn } from "../process/timer.ts";
import { processesHoldingDeleted } from "../state/holder.ts";
import { freeLock, type Lock, signLock, takeLock, unsignLock } from "../state/lock.ts";
import { Marker, type RunMark } from "../state/marker.ts";
import type { RunRecord } from "../state/record.ts";
import { forgetSkips, skipsInARow } from "../state/skips.ts";
import { stamp } from "../time/format.ts";
import { localZone } from "../time/zone.ts";
import { formatDuration } from "../units.ts";
import type { Prepared } from "./command.ts";
import {
  deathText,
  type Ending,
  endingOf,
  interrupted,
  leaveRecord,
  notifierOf,
  recordOf,
  remember,
  rememberDeath,
  type Work,
} from "./finish.ts";
import { hookEnvironment, resultEnvironment, runPhase } from "./phase.ts";
import { Run } from "./run.ts";
import { skip } from "./skip.ts";

/**
 * Lives one run of worker `job` and resolves to its exit code. `prepared` is what locked_run has taken for us,
 * its lock first of all; without it we take our own, and exit with 75 when somebody else has it.
 */
export async function runWorker(
  job: string,
  prepared: Prepared | undefined,
  work: Work,
  announced: Announced = {},
): Promise<number> {
  const context = prepared?.context.forJob(job) ?? new Context(job);
  const path = context.lockPath;
  const skipsBefore = skipsInARow(context.lockDir, job);
  const taking = takeLock(path, environment, prepared?.lock);
  // flock(1) works meanwhile.
  context.prepare();
  const busy = async (running?: RunMark) => {
    const exitCode = prepared === undefined ? EXIT.busy : EXIT.ok;
    await skip(context, path, exitCode, running);
    return exitCode;
  };
  let lock: Lock | undefined;
  try {
    lock = await taking;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return new Job(context, undefined, announced).fail(error);
  }
  if (lock === undefined) return busy();
  const life = new Job(context, lock, announced);
  const claimed = await life.claim();
  if (claimed.alive !== undefined) return busy(claimed.alive);
  // locked_run, which took this lock for this job, has forgotten them by then.
  if (lock !== prepared?.lock && lock.inherited !== job) forgetSkips(context.lockDir, job, skipsBefore);
  return life.live(work, claimed.died);
}

/** One run, from its first line in the log to its last. */
export class Job {
  private readonly startedMs = Date.now();
  private readonly stop: Stop;
  private readonly marker: Marker;
  private readonly run: Run;
  private readonly hooks: HookResult[] = [];
  private notifier: Notifier | undefined;

  constructor(
    private readonly context: Context,
    private readonly lock: Lock | undefined,
    private readonly announced: Announced,
  ) {
    const { settings, identity, lockDir } = context;
    this.stop = new Stop(() => settings.seconds("STOP_TIMEOUT") * 1000);
    this.marker = new Marker(lockDir, identity.job, identity.runId, Math.floor(this.startedMs / 1000));
    this.run = new Run(context, { stop: this.stop, marker: this.marker, lockFd: lock?.fd });
  }

  /**
   * Says that this run is alive. Resolves to the mark of one that is alive already (see Marker.claim), or of the run
   * before this one, when that died and nobody knows: it is in the history before its marker goes, so that no kill
   * can make us forget it. From here on a signal stops this run in good order.
   */
  async claim(): Promise<{ died?: RunMark; alive?: RunMark }> {
    const { lock, marker, context } = this;
    this.stop.install();
    const claimed = marker.claim(() => lock !== undefined && processesHoldingDeleted(lock.path).length > 0);
    if (claimed.died === undefined) return claimed;
    const isNews = await rememberDeath(context, claimed.died, this.startedMs);
    const alive = marker.takeOver();
    if (alive !== undefined) return { alive };
    return isNews ? claimed : {};
  }

  async live(work: Work, died: RunMark | undefined): Promise<number> {
    const { context, stop, marker } = this;
    const { identity, log } = context;
    if (this.lock !== undefined) signLock(this.lock, this.signature());
    log.openFile(context.logPath);
    log.info(`${identity.job} started (run ${identity.runId}, release ${identity.release})`);
    if (died !== undefined) log.warn(deathText(died));
    this.notifier = await notifierOf(context, stop, { ...this.announced, died: died !== undefined });
    stop.listen(() => this.tellOfStop());

    marker.update({ phase: "pre-hooks" });
    const pre = `pre-${identity.job}`;
    const hadTheirTurn = stop.signal === undefined;
    await this.runHooks({
      phase: pre,
      argument: undefined,
      env: hookEnvironment(context),
      budget: stopBudget.preHook,
      skipOnStop: true,
    });

    await this.notifier?.begin();
    marker.update({ phase: "work" });
    const worked = await endingOf(work, this.run);

    marker.update({ phase: "record" });
    leaveRecord(context, this.record(worked));
    // A signal that came while we waited for the disk is heard now, before the post-hooks are told how it went.
    await eventLoopTurn();
    const ending = interrupted(worked, stop);
    const record = this.record(ending);
    if (ending !== worked) leaveRecord(context, record);
    await this.notifier?.tell(record, this.skips);

    marker.update({ phase: "post-hooks" });
    if (hadTheirTurn) {
      await this.runHooks({
        phase: `post-${identity.job}`,
        argument: String(ending.exitCode),
        env: { ...hookEnvironment(context), ...resultEnvironment(context, this.resultOf(ending)) },
        budget: stopBudget.postHook,
        skipOnStop: false,
      });
    }
    return this.close(worked);
  }

  /** A run that could not begin: recorded like any other, but nothing of it was run. */
  async fail(failure: Failure): Promise<number> {
    const { context, startedMs } = this;
    context.log.error(failure.message);
    leaveLastWords(context.mask(`${context.identity.job}: ${failure.message}`));
    const record = this.record({
      exitCode: failure.exitCode,
      status: "failed",
      startedMs,
      finishedMs: Date.now(),
      tookMs: 0,
      error: failure.message,
    });
    leaveRecord(context, record);
    await remember(context, record);
    this.notifier = await notifierOf(context, this.stop, { ...this.announced, died: false });
    await this.notifier?.tell(record, this.skips);
    return failure.exitCode;
  }

  private async runHooks(plan: Omit<Parameters<typeof runPhase>[1], "stop" | "pipePath">): Promise<void> {
    const { context, stop, hooks } = this;
    const pipePath = `${context.lockDir}/${context.identity.job}.pipe`;
    try {
      hooks.push(...(await runPhase(context, { ...plan, stop, pipePath })));
    } catch (error) {
      // Whatever went wrong, it was a hook's affair: it must not cost the backup.
      this.context.log.error(bugReport(error));
      hooks.push({ phase: plan.phase, path: context.hooksDir, error: reasonOf(error) });
    }
  }

  private tellOfStop(): void {
    const { log, settings } = this.context;
    if (this.stop.forced) log.warn("A second signal came: everything is ended at once.");
    else {
      const budget = formatDuration(settings.seconds("STOP_TIMEOUT"));
      log.warn(`Told to stop by ${this.stop.signal}: the run ends within ${budget} (STOP_TIMEOUT).`);
    }
  }

  /** The last words: the record completed with what the post-hooks did, the history, the exit code. */
  private async close(ending: Ending): Promise<number> {
    const { context, marker } = this;
    const { log, identity } = context;
    const last = interrupted(ending, this.stop);
    const record = this.record(last);
    const said = `${identity.job} finished: ${last.status}, exit ${last.exitCode}, ${formatDuration(record.duration_seconds)}`;
    if (last.status === "ok") log.info(said);
    else if (last.status === "warning") log.warn(said);
    else log.error(said);
    leaveLastWords(context.mask(last.error === undefined ? said : `${said}: ${last.error}`));
    leaveRecord(context, record);
    await this.notifier?.complete(record, this.skips);
    await remember(context, record);
    marker.release();
    if (this.lock !== undefined) {
      unsignLock(this.lock);
      if (this.run.leavesLock) await freeLock(this.lock, context.env);
    }
    log.closeFile();
    return last.exitCode;
  }

  private record(ending: Ending): RunRecord {
    return recordOf(this.context, this.run, ending, this.hooks);
  }

  private readonly skips = (): number => skipsInARow(this.context.lockDir, this.context.identity.job);

  private signature(): string {
    const since = stamp(this.startedMs, localZone());
    return `pid ${process.pid}\nsince ${since}\nrun ${this.context.identity.runId}\n`;
  }

  private resultOf({ exitCode, status, tookMs }: Ending) {
    const { snapshot_id }: Pick<RunRecord, "snapshot_id"> = this.run.facts;
    return { exitCode, status, durationSeconds: Math.round(tookMs / 1000), snapshotId: snapshot_id };
  }
}

/** Resolves to the exit code. A Failure is the caller's to report. */
export async function runReadOnly(job: string, look: (run: Run) => Promise<number>): Promise<number> {
  const context = new Context(job);
  const { identity, settings, log, lockDir } = context;
  const stop = new Stop(() => settings.seconds("STOP_TIMEOUT") * 1000);
  stop.install();
  // A marker that was never claimed writes nothing.
  const marker = new Marker(lockDir, job, identity.runId, 0);
  const run = new Run(context, { stop, marker, lockFd: undefined });
  try {
    const exitCode = await look(run);
    return stop.signal === undefined ? exitCode : exitCodeOfSignal(stop.signal);
  } catch (error) {
    if (stop.signal !== undefined) return exitCodeOfSignal(stop.signal);
    if (error instanceof Failure) throw error;
    log.error(bugReport(error));
    return EXIT.internal;
  }
}
