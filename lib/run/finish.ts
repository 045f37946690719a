/**
 * How a run finishes: what the work comes to, whatever becomes of it; the record and the history that it leaves in
 * LOG_DIR; and who is notified.
 */

import { existsSync } from "node:fs";
import type { VariableName } from "../config/variables.ts";
import type { Context } from "../context.ts";
import { bugReport, EXIT, Failure, reasonOf } from "../errors.ts";
import { copyWhole, discard, replaceFile } from "../files/files.ts";
import { masked } from "../mask.ts";
import type { Notifier, Occasion } from "../notify/notifier.ts";
import { exitCodeOfSignal } from "../process/spawn.ts";
import type { Stop } from "../process/stop.ts";
import { appendHistory, historyPath, trimHistory } from "../state/history.ts";
import { skipsInARow } from "../state/holder.ts";
import {
  type HookResult,
  hookAlerts,
  NEITHER,
  type RunRecord,
  readLastRun,
  recordHeader,
  type Status,
} from "../state/record.ts";
import { type Outcome, type Run, Stopped } from "./run.ts";

export type Work = (run: Run) => Promise<Outcome>;

/** What a run came to: its work, and a stop that may have come after it. */
export interface RunOutcome extends Outcome {
  readonly status: Status;
  readonly startedMs: number;
  readonly finishedMs: number;
  /** How long the work took, in milliseconds, whatever was done to the clock meanwhile. */
  readonly tookMs: number;
  readonly error?: string;
  /** What the work has thrown: why it came to no result. */
  readonly thrown?: string;
  /** What the work itself came to, where a stop gave the run another exit code. */
  readonly workExitCode?: number;
  readonly workStatus?: Status;
}

/** Does the work, unless the run was stopped before. Never throws for what the work does. */
export async function doWork(work: Work, run: Run): Promise<RunOutcome> {
  const { stop } = run;
  const startedMs = Date.now();
  const begun = performance.now();
  run.begin();
  if (stop.signal !== undefined) {
    const exitCode = exitCodeOfSignal(stop.signal);
    const error = `Stopped by ${stop.signal} before the work began.`;
    return { exitCode, status: "interrupted", startedMs, finishedMs: startedMs, tookMs: 0, error };
  }
  const came = await attempt(work, run);
  const plain = came.status ?? (came.exitCode === 0 ? "ok" : "failed");
  const status = plain === "ok" && run.alerts.length > 0 ? "warning" : plain;
  const tookMs = performance.now() - begun;
  const timedOut = run.timedOut && stop.signal === undefined;
  const hasFailed = timedOut || (came.exitCode !== EXIT.ok && !NOT_FAILED.includes(status));
  const { error: thrown, ...rest } = came;
  const error = hasFailed ? errorText(run, came.exitCode, thrown) : thrown;
  const outcome: RunOutcome = {
    ...rest,
    status,
    startedMs,
    finishedMs: Date.now(),
    tookMs,
    ...(error === undefined ? {} : { error }),
    ...(thrown === undefined ? {} : { thrown }),
  };
  if (timedOut) return { ...outcome, exitCode: EXIT.timedOut, status: "timed_out" };
  return interrupted(outcome, stop);
}

/** What needs no `error` beside its exit code: its alerts say why, or a person does. */
const NOT_FAILED: readonly Status[] = [...NEITHER, "warning"];

/** Characters of a record's `error`: a mail's and a webhook's reader wants the reason, not the log. */
const ERROR_MOST = 2000;

/** Why the work failed, as the record says it. `thrown`: what the work has thrown, after all that run.fail was given. */
function errorText(run: Run, exitCode: number, thrown: string | undefined): string {
  const { signal } = run.stop;
  const stopped = signal === undefined ? [] : [`Stopped by ${signal} before the work was done.`];
  const said = [...stopped, ...run.reasons, ...(thrown === undefined ? [] : [thrown])];
  const text = [...new Set(said)].join(" ");
  if (text === "") return `The work ended with exit ${exitCode}; ${run.context.logPath} has its last words.`;
  return text.length <= ERROR_MOST ? text : `${text.slice(0, ERROR_MOST).toWellFormed()}…`;
}

/** A stop gives the run its exit code, whenever it came; what the work came to stays known. */
export function interrupted(outcome: RunOutcome, { signal, forced }: Stop): RunOutcome {
  if (signal === undefined || outcome.status === "interrupted") return outcome;
  if (outcome.endedByStop && !forced) return outcome;
  const exitCode = exitCodeOfSignal(signal);
  return {
    ...outcome,
    exitCode,
    status: "interrupted",
    workExitCode: outcome.exitCode,
    workStatus: outcome.status,
  };
}

/** Whatever the work throws becomes its exit code: here and nowhere else. */
async function attempt(work: Work, run: Run): Promise<Outcome & { error?: string }> {
  const { log, settings } = run;
  try {
    settings.refuseDoubles();
    if (settings.isSuspect) (await import("../config/odd.ts")).refuseOddities(settings.env);
    return await work(run);
  } catch (error) {
    if (error instanceof Stopped && error.message === "") return { exitCode: error.exitCode };
    if (error instanceof Failure || error instanceof Stopped) {
      log.error(error.message);
      return { exitCode: error.exitCode, error: error.message };
    }
    log.trace(bugReport(error));
    return { exitCode: EXIT.internal, error: reasonOf(error) };
  }
}

/**
 * The record of a run that has come to this end, with what its hooks have come to so far. `owedHooks` were those of a run
 * that had died before: they are not hooks of this one, but when they fail its operator must hear of it.
 */
export function buildRecord(
  context: Context,
  run: Run,
  outcome: RunOutcome,
  hooks: readonly HookResult[],
  owedHooks: readonly HookResult[],
): RunRecord {
  const { signal } = run.stop;
  const alerts = [...run.alerts, ...hookAlerts([...owedHooks, ...hooks])];
  const repository = context.shownRepository;
  return masked(
    {
      ...recordHeader(context.identity, outcome.startedMs, outcome.finishedMs, outcome.tookMs),
      exit_code: outcome.exitCode,
      status: outcome.status,
      ...(outcome.status === "interrupted" && signal !== undefined ? { signal } : {}),
      ...(outcome.status === "timed_out" ? { timed_out: true as const } : {}),
      ...(outcome.workExitCode === undefined ? {} : { work_exit_code: outcome.workExitCode }),
      ...(outcome.workStatus === undefined ? {} : { work_status: outcome.workStatus }),
      ...(alerts.length === 0 ? {} : { alerts }),
      ...(outcome.error === undefined ? {} : { error: outcome.error }),
      ...(repository === undefined ? {} : { repository }),
      ...(run.killedChild === undefined ? {} : { killed_child: run.killedChild }),
      ...run.facts,
      hooks,
    },
    context.mask,
  );
}

/** What we have saved: without hooks the completed record is the first one, and a disk takes 30 ms to sync it again. */
const saved = new Map<string, string>();

/** Words of runs that could not leave their record, ours or an earlier one's: the record that is saved next ends them. */
const words = new Set<string>();

/** Says what the run before this one came to, when it could not leave its record. */
export async function reportUnrecorded(context: Context): Promise<void> {
  const { unrecordedPath, logDir } = context;
  if (!existsSync(unrecordedPath)) return;
  words.add(unrecordedPath);
  const { unrecordedText } = await import("../state/unrecorded.ts");
  const { record, unrecorded } = readLastRun(context, context.job);
  if (record !== undefined && unrecorded !== undefined)
    context.log.warn(`The run before this one ${unrecordedText(record, unrecorded, logDir, context.zone)}`);
}

/**
 * Writes the record, and keeps the log of a failure where the next run does not overwrite it. Resolves to whether a
 * record of this run stands in its place; where none does, a word of it is left in LOCK_DIR.
 */
export async function saveRecord(context: Context, record: RunRecord): Promise<boolean> {
  const { recordPath, unrecordedPath, logPath, errorLogPath } = context;
  try {
    const text = `${JSON.stringify(record, null, 2)}\n`;
    if (text !== saved.get(recordPath)) replaceFile(recordPath, text);
    saved.set(recordPath, text);
    if (words.delete(unrecordedPath)) discard(unrecordedPath);
  } catch (error) {
    context.log.lost(`The record ${recordPath}`, error);
    if (!saved.has(recordPath)) await leaveWord(context, record, error);
  }
  if (record.exit_code !== 0 && context.log.hasFile) {
    try {
      copyWhole(logPath, errorLogPath);
    } catch (error) {
      context.log.lost(`The copy ${errorLogPath} of this failure's log`, error);
    }
  }
  return saved.has(recordPath);
}

/** So that neither status nor the next run takes an earlier record for this one. */
async function leaveWord(
  { log, mask, lockDir, unrecordedPath }: Context,
  record: RunRecord,
  why: unknown,
): Promise<void> {
  try {
    const { leaveUnrecorded } = await import("../state/unrecorded.ts");
    leaveUnrecorded(unrecordedPath, record, mask(reasonOf(why)));
    words.add(unrecordedPath);
  } catch (error) {
    log.warn(
      `${lockDir} takes no word of this run either: ${reasonOf(error)}. status knows only of earlier ones.`,
    );
  }
}

/** Sends mail and webhook about what is not a run of its own; resolves when they have been sent. */
export async function tellApart(
  context: Context,
  stop: Stop,
  record: RunRecord,
  title: string,
): Promise<void> {
  const notifier = await loadNotifier(context, stop, { died: false });
  await notifier?.tellApart(record, title);
}

/** A failure is logged, and changes nothing else. */
export async function addToHistory(context: Context, entry: object): Promise<void> {
  const { log, logDir, settings, env } = context;
  let before: number;
  try {
    before = await appendHistory(logDir, entry, env);
  } catch (error) {
    log.lost(historyPath(logDir), error);
    return;
  }
  try {
    await trimHistory(logDir, settings.count("HISTORY_MAX_RUNS"), env, before);
  } catch (error) {
    log.warn(`${historyPath(logDir)} could not be cut to HISTORY_MAX_RUNS: ${reasonOf(error)}. It grows on.`);
  }
}

/** What a run can notify through. */
const CHANNELS = ["METRICS_DIR", "MAILX_RCPT", "WEBHOOK_URL"] as const satisfies readonly VariableName[];

/**
 * Loaded only where the environment names somebody to be notified; `require` inside a bundle is as lazy as `import()`,
 * and cheaper (see lib/workers/index.ts).
 */
export async function loadNotifier(
  context: Context,
  stop: Stop,
  occasion: Occasion,
): Promise<Notifier | undefined> {
  const { settings, job } = context;
  if (!settings.configured(...CHANNELS) && settings.pingVariable(job) === undefined) return undefined;
  const { Notifier } = await import("../notify/notifier.ts");
  return new Notifier(context, stop, occasion);
}

/** A skip shows in the metrics, and nowhere else: mails about it would come with every tick. */
export async function writeSkipMetrics(context: Context): Promise<void> {
  if (!context.settings.configured("METRICS_DIR")) return;
  const { writeSkips } = await import("../notify/metrics.ts");
  await writeSkips(context, () => skipsInARow(context.lockDir, context.identity.job));
}
