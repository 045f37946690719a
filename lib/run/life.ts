/**
 * The life of a run, step by step, the same for every worker:
 *
 *   lock → per-run log opened → pre-hooks → work → record, metrics → post-hooks → record completed
 *        → metrics, mail, webhook, ping → history → lock released → exit with the work's exit code
 *
 * Post-hooks come first after the work: a frozen file system must not wait for a webhook. One that takes long must not
 * lose an alert either, so a minute after the work the notifications go out without it.
 *
 * A run that finds its lock taken does not begin: see skip.ts. What the work comes to, and what of it is kept, is in
 * finish.ts; what a worker gets to do its work with is a Run, in run.ts.
 */

import { Context } from "../context.ts";
import { environment } from "../environment.ts";
import { bugReport, EXIT, Failure, reasonOf } from "../errors.ts";
import { hookPaths } from "../hooks/discover.ts";
import { hookEnvironment, type PhasePlan, resultEnvironment, runPhase } from "../hooks/execute.ts";
import { leaveLastWords } from "../log/stdout.ts";
import type { Announced, Notifier } from "../notify/notifier.ts";
import { exitCodeOfSignal } from "../process/spawn.ts";
import { after, eventLoopTurn, Stop, stopBudget } from "../process/stop.ts";
import { forgetSkips, processesHoldingDeleted, skipsInARow } from "../state/holder.ts";
import { freeLock, type Lock, signLock, takeLock, unsignLock } from "../state/lock.ts";
import { Marker, type Owed, owedBy, type RunMark } from "../state/marker.ts";
import { failedHooks, type HookResult, hooksText, NEITHER, type RunRecord } from "../state/record.ts";
import { formatDuration } from "../text.ts";
import { stamp } from "../time/zone.ts";
import type { Prepared } from "./command.ts";
import {
  addToHistory,
  buildRecord,
  doWork,
  interrupted,
  loadNotifier,
  type RunOutcome,
  reportUnrecorded,
  saveRecord,
  type Work,
} from "./finish.ts";
import { Run } from "./run.ts";
import { skip } from "./skip.ts";

/**
 * Runs worker `job` once and resolves to the exit code. `prepared` is what locked_run has taken and made for it, the
 * lock first of all; without it the run takes its own lock, and exits with 75 when another process has it.
 */
export async function runWorker(
  job: string,
  prepared: Prepared | undefined,
  work: Work,
  announced: Announced = {},
): Promise<number> {
  const context = prepared?.context.forJob(job) ?? new Context(job);
  const { lockPath, lockDir } = context;
  const skipsBefore = skipsInARow(lockDir, job);
  const taking = takeLock(lockPath, environment, prepared?.lock);
  // flock(1) works meanwhile.
  context.prepare();
  const skipIt = async (running?: RunMark) => {
    const exitCode = prepared === undefined ? EXIT.busy : EXIT.ok;
    await skip(context, lockPath, exitCode, running);
    return exitCode;
  };
  let lock: Lock | undefined;
  try {
    lock = await taking;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return new Execution(context, undefined, announced).fail(error);
  }
  if (lock === undefined) return skipIt();
  const execution = new Execution(context, lock, announced);
  const { alive, died } = await execution.claim();
  if (alive !== undefined) return skipIt(alive);
  // locked_run, which took this lock for this job, has forgotten them by then.
  if (lock !== prepared?.lock && lock.inherited !== job) forgetSkips(lockDir, job, skipsBefore);
  return execution.execute(work, died);
}

/** Milliseconds from the end of the work after which the notifications wait for the post-hooks no more. */
const NOTIFY_AFTER_MS = 60_000;

/**
 * Resolves when the notifications must wait for the post-hooks no more: a minute from now, which is the end of the work,
 * or when a stop has left the hooks as much of its budget as it can.
 */
function lateFor(stop: Stop): Promise<void> {
  return new Promise((resolve) => {
    after(NOTIFY_AFTER_MS, resolve);
    stop.listen(() => after(stop.msUntil(stopBudget.postHook.signalAt), resolve));
  });
}

/** One run, from its first line in the log to its last. */
class Execution {
  private readonly startedMs = Date.now();
  private readonly stop: Stop;
  private readonly marker: Marker;
  private readonly run: Run;
  private readonly hooks: HookResult[] = [];
  /** What the run before this one has left to us, and what those hooks came to. */
  private owed: Owed | undefined;
  private readonly owedHooks: HookResult[] = [];
  /** What stood in the place of our marker and was none. */
  private oddMarker: string | undefined;
  private notifier: Notifier | undefined;
  /** Has this run a log of its own? Otherwise that of an earlier one may stand there. */
  private hasLog = false;
  /** Does a record of this run stand in its place? */
  private hasRecord = false;
  /** What the notifications went out with, as long as nothing has been added to it. */
  private notified: { readonly outcome: RunOutcome; readonly record: RunRecord } | undefined;

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
   * Marks this run as alive. Resolves to the mark of one that is alive already (see Marker.claim), or of the previous
   * run, when that died and nobody knows: it is in the history before its marker goes, so that no kill can make us
   * forget it. From here on a signal stops this run in good order.
   */
  async claim(): Promise<{ died?: RunMark; alive?: RunMark }> {
    const { lock, marker, context } = this;
    this.stop.install((name) => context.log.info(`${name} came, which means nothing to a run: it goes on.`));
    const claimed = marker.claim(() => lock !== undefined && processesHoldingDeleted(lock.path).length > 0);
    this.oddMarker = claimed.problem;
    if (claimed.died === undefined) return claimed;
    const { recordDeath } = await import("./died.ts");
    const isNews = await recordDeath(context, claimed.died, this.startedMs);
    this.owed = owedBy(claimed.died);
    const alive = marker.takeOver(this.owed);
    if (alive !== undefined) return { alive };
    return isNews ? claimed : {};
  }

  /** All of it, in order. Resolves to the exit code. */
  async execute(work: Work, died: RunMark | undefined): Promise<number> {
    const { stop, marker } = this;
    await this.begin(died);
    if (this.owed !== undefined) await this.settle(this.owed);

    marker.update({ phase: "pre-hooks" });
    const hooksBegan = stop.signal === undefined;
    const hookEnv = { ...hookEnvironment(this.context), ...(this.hasLog ? {} : { RBH_LOG: undefined }) };
    // Looked for before anything runs: what unmounts HOOKS_DIR meanwhile takes them away.
    const expected = hookPaths(this.context.hooksDir, `post-${this.context.job}`);
    await this.preHooks(hookEnv);

    await this.notifier?.begin();
    marker.update({ phase: "work" });
    const worked = await doWork(work, this.run);
    const late = lateFor(stop);

    marker.update({ phase: "record" });
    const outcome = await this.record(worked);

    if (expected.length > 0) marker.settle({ phase: "post-hooks" });
    else marker.update({ phase: "post-hooks" });
    const hooks = hooksBegan ? this.postHooks(hookEnv, outcome, expected) : Promise.resolve();
    await this.report(() => interrupted(worked, stop), hooks, late);
    return this.close(interrupted(worked, stop));
  }

  /** A run that cannot begin: recorded like any other, but nothing of it is run. */
  async fail(failure: Failure): Promise<number> {
    const { context, startedMs } = this;
    context.log.error(failure.message);
    leaveLastWords(context.mask(`${context.job}: ${failure.message}`));
    const record = this.recordOf({
      exitCode: failure.exitCode,
      status: "failed",
      startedMs,
      finishedMs: Date.now(),
      tookMs: 0,
      error: failure.message,
    });
    await saveRecord(context, record);
    await addToHistory(context, record);
    this.notifier = await loadNotifier(context, this.stop, { ...this.announced, died: false });
    await this.notifier?.tell(record, this.skips);
    return failure.exitCode;
  }

  /** The first lines of the log. */
  private async begin(died: RunMark | undefined): Promise<void> {
    const { context, stop, lock } = this;
    const { identity, log } = context;
    if (lock !== undefined) signLock(lock, this.signature());
    this.hasLog = log.openFile(context.logPath);
    log.info(`${identity.job} started (run ${identity.runId}, release ${identity.release})`);
    await reportUnrecorded(context);
    this.notifier = await loadNotifier(context, stop, { ...this.announced, died: died !== undefined });
    if (this.oddMarker !== undefined) log.warn(this.oddMarker);
    if (died !== undefined) {
      const { deathRecord, deathText, deathTitle } = await import("./died.ts");
      log.warn(deathText(died));
      this.notifier?.tellBeside(deathRecord(context, died, this.startedMs), deathTitle(context));
    }
    stop.listen(() => this.announceStop());
  }

  /** Runs the post-hooks of the run that died before this one. */
  private async settle(owed: Owed): Promise<void> {
    const { context, stop, marker, owedHooks } = this;
    const { runOwedHooks } = await import("./died.ts");
    marker.settle();
    await this.guarded(`post-${context.job}`, owedHooks, () => runOwedHooks(context, stop, owed, owedHooks));
  }

  private preHooks(env: PhasePlan["env"]): Promise<void> {
    const phase = `pre-${this.context.job}`;
    return this.runHooks({ phase, argument: undefined, env, budget: stopBudget.preHook, skipOnStop: true });
  }

  private postHooks(env: PhasePlan["env"], outcome: RunOutcome, expected: readonly string[]): Promise<void> {
    const { snapshot_id }: Pick<RunRecord, "snapshot_id"> = this.run.facts;
    return this.runHooks({
      phase: `post-${this.context.job}`,
      argument: String(outcome.exitCode),
      env: {
        ...env,
        ...resultEnvironment(this.context, {
          exitCode: outcome.exitCode,
          status: outcome.status,
          durationSeconds: Math.round(outcome.tookMs / 1000),
          snapshotId: snapshot_id,
          hasRecord: this.hasRecord,
        }),
      },
      budget: stopBudget.postHook,
      skipOnStop: false,
      expected,
    });
  }

  private async runHooks(plan: Omit<PhasePlan, "stop" | "pipePath">): Promise<void> {
    const { context, stop, hooks } = this;
    const pipePath = `${context.lockDir}/${context.job}.pipe`;
    await this.guarded(plan.phase, hooks, () => runPhase(context, { ...plan, stop, pipePath }, hooks));
  }

  private async guarded(phase: string, hooks: HookResult[], run: () => Promise<unknown>): Promise<void> {
    const { context } = this;
    try {
      await run();
    } catch (error) {
      // Whatever went wrong, it was a hook's affair: it must not cost the backup.
      context.log.trace(bugReport(error));
      hooks.push({ phase, path: context.hooksDir, error: reasonOf(error) });
    }
  }

  /** Saves the record and the metrics as the post-hooks will read them. Resolves to the outcome that they hold. */
  private async record(worked: RunOutcome): Promise<RunOutcome> {
    const { context, stop } = this;
    let record = this.recordOf(worked);
    this.hasRecord = await saveRecord(context, record);
    // A signal that came while we waited for the disk is heard now, before the post-hooks get the outcome.
    await eventLoopTurn();
    const outcome = interrupted(worked, stop);
    if (outcome !== worked) {
      record = this.recordOf(outcome);
      this.hasRecord = await saveRecord(context, record);
    }
    await this.notifier?.complete(record, this.skips);
    return outcome;
  }

  /**
   * Notifies when the post-hooks have ended, or when it is late. What a hook that ends after that came to is only
   * reported when it failed: nobody would hear of it otherwise.
   */
  private async report(outcome: () => RunOutcome, hooks: Promise<void>, late: Promise<void>): Promise<void> {
    const haveEnded = await Promise.race([hooks.then(() => true), late.then(() => false)]);
    if (haveEnded) this.marker.update({ phase: "notifications" });
    else if (this.stop.signal === undefined)
      this.context.log.info("The post-hooks take long: notifications go out without them.");
    const notified = await this.notify(outcome());
    if (haveEnded) return;
    await hooks;
    this.notified = undefined;
    if (failedHooks(this.hooks).length > failedHooks(notified.hooks).length) await this.notify(outcome());
  }

  private async notify(outcome: RunOutcome): Promise<RunRecord> {
    const record = this.recordOf(outcome);
    await saveRecord(this.context, record);
    await this.notifier?.tell(record, this.skips);
    this.notified = { outcome, record };
    return record;
  }

  /** The last line, the record and the metrics if a signal has come since, the history, the lock. Returns the exit code. */
  private async close(outcome: RunOutcome): Promise<number> {
    const { context, marker, lock } = this;
    const { log } = context;
    const record = this.notified?.outcome === outcome ? this.notified.record : this.recordOf(outcome);
    const hooks = hooksText([...this.owedHooks, ...this.hooks]);
    const said =
      `${context.job} finished: ${outcome.status}, exit ${outcome.exitCode}, ` +
      formatDuration(record.duration_seconds) +
      (hooks === undefined ? "" : `; ${hooks}`);
    if (outcome.status === "warning" || NEITHER.includes(outcome.status)) log.warn(said);
    else if (outcome.status !== "ok") log.error(said);
    else if (hooks !== undefined) log.warn(said);
    else log.info(said);
    leaveLastWords(context.mask(outcome.thrown === undefined ? said : `${said}: ${outcome.thrown}`));
    await saveRecord(context, record);
    if (record !== this.notified?.record) await this.notifier?.complete(record, this.skips);
    await addToHistory(context, record);
    marker.release();
    if (lock !== undefined) {
      unsignLock(lock);
      if (this.run.leavesLock) await freeLock(lock, context.env);
    }
    log.closeFile();
    return outcome.exitCode;
  }

  private announceStop(): void {
    const { log, settings } = this.context;
    if (this.stop.forced) log.warn("A second signal came: everything is ended at once.");
    else {
      const budget = formatDuration(settings.seconds("STOP_TIMEOUT"));
      log.warn(`Told to stop by ${this.stop.signal}: the run ends within ${budget} (STOP_TIMEOUT).`);
    }
  }

  private recordOf(outcome: RunOutcome): RunRecord {
    return buildRecord(this.context, this.run, outcome, this.hooks, this.owedHooks);
  }

  private readonly skips = (): number => skipsInARow(this.context.lockDir, this.context.job);

  /** What the lock file tells a person who reads it. */
  private signature(): string {
    const { identity, zone } = this.context;
    return `pid ${process.pid}\nsince ${stamp(this.startedMs, zone)}\nrun ${identity.runId}\n`;
  }
}

/**
 * For what a worker does that only reads (`restore --list`): no lock, no hooks and no record, beside a run that may be
 * under way. Resolves to the exit code. A Failure is the caller's to report.
 */
export async function runReadOnly(job: string, read: (run: Run) => Promise<number>): Promise<number> {
  const context = new Context(job);
  const { identity, settings, log, lockDir } = context;
  const stop = new Stop(() => settings.seconds("STOP_TIMEOUT") * 1000);
  stop.install();
  // A marker that was never claimed writes nothing.
  const marker = new Marker(lockDir, job, identity.runId, 0);
  const run = new Run(context, { stop, marker, lockFd: undefined });
  try {
    const exitCode = await read(run);
    return stop.signal === undefined ? exitCode : exitCodeOfSignal(stop.signal);
  } catch (error) {
    if (stop.signal !== undefined) return exitCodeOfSignal(stop.signal);
    if (error instanceof Failure) throw error;
    log.trace(bugReport(error));
    return EXIT.internal;
  }
}
