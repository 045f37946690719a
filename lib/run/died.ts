/**
 * What becomes of a run that died (SIGKILL, out of memory): a line in the history, a word to the alert channels, and its
 * post-hooks, which undo what its pre-hooks did. By entry within seconds, where it lives, else by the next run before its
 * own pre-hooks. All of it once: who begins the post-hooks says so in the marker first, and who finds the death in the
 * history does not report it again.
 */

import { closeSync } from "node:fs";
import type { Context } from "../context.ts";
import { hookPaths } from "../hooks/discover.ts";
import { hookEnvironment, resultEnvironment, runPhase } from "../hooks/execute.ts";
import { masked } from "../mask.ts";
import { removeDeadTempFiles } from "../process/proc.ts";
import { type Stop, stopBudget, within } from "../process/stop.ts";
import { newestRuns } from "../state/history.ts";
import { processesHolding, skipsInARow } from "../state/holder.ts";
import { signLock, takeLock, unsignLock } from "../state/lock.ts";
import { claimOwed, isRunning, markerPath, type Owed, type RunMark, readMark } from "../state/marker.ts";
import { type HookResult, hookAlerts, type RunRecord, readRecord, recordHeader } from "../state/record.ts";
import { localZone, stamp } from "../time/zone.ts";
import { addToHistory, loadNotifier } from "./finish.ts";

/** Runs of the history among which the last word of a run that has died since is looked for. */
const DEATH_LOOKED_BACK = 200;

/** Writes into the history that the previous run died; false when its own line stands there already. */
export async function recordDeath(context: Context, died: RunMark, nowMs: number): Promise<boolean> {
  const { identity, mask, logDir, recordPath, errorLogPath, mailLogPath } = context;
  for (const path of [recordPath, errorLogPath, mailLogPath]) removeDeadTempFiles(path);
  // It was killed in the instant between its line in the history and its last step.
  const name = `"run_id":${JSON.stringify(died.run_id)}`;
  if (newestRuns(logDir, DEATH_LOOKED_BACK).some((line) => line.includes(name))) return false;
  const ran = recordHeader({ ...identity, runId: died.run_id }, died.started_epoch * 1000, nowMs);
  const child = died.child === undefined ? {} : { killed_child: died.child };
  const entry = { ...ran, status: "died", phase: died.phase, pid: died.pid, ...child, hooks: [] };
  await addToHistory(context, masked(entry, mask));
  return true;
}

export function deathText({ run_id, pid, started_epoch, phase }: RunMark): string {
  const since = stamp(started_epoch * 1000, localZone());
  return (
    `The run before this one died without a record: run ${run_id}, pid ${pid}, started ${since}, ` +
    `last seen in phase ${phase}. If it was killed, restic may have left its lock in the repository.`
  );
}

/** What a shell says of a process that SIGKILL ended. */
const KILLED = 137;

/** What the channels receive about a run that died; its exit code is the one that its post-hooks get. */
export function deathRecord({ identity, mask }: Context, died: RunMark, nowMs: number): RunRecord {
  return masked(
    {
      ...recordHeader({ ...identity, runId: died.run_id }, died.started_epoch * 1000, nowMs),
      exit_code: KILLED,
      status: "died" as const,
      phase: died.phase,
      pid: died.pid,
      error: deathText(died),
      hooks: [],
    },
    mask,
  );
}

/** Runs the post-hooks of a run that died, which somebody must have claimed for us. Adds what they came to `results`. */
export async function runOwedHooks(
  context: Context,
  stop: Stop,
  { runId, startedEpoch }: Owed,
  results: HookResult[],
): Promise<void> {
  const { job, recordPath, lockDir, hooksDir, log } = context;
  if (hookPaths(hooksDir, `post-${job}`).length === 0) return;
  log.warn(`Run ${runId} died after its pre-hooks: its post-hooks run now, with the exit code ${KILLED}.`);
  const result = {
    exitCode: KILLED,
    status: "died",
    durationSeconds: Math.max(0, Math.floor(Date.now() / 1000) - startedEpoch),
    snapshotId: undefined,
    // The record there is may be that of a run before, whose success says nothing of this one.
    hasRecord: readRecord(recordPath)?.record?.run_id === runId,
  } as const;
  const env = { ...hookEnvironment(context), ...resultEnvironment(context, result), RBH_RUN_ID: runId };
  await runPhase(
    context,
    {
      phase: `post-${job}`,
      argument: String(KILLED),
      env,
      stop,
      budget: stopBudget.postHook,
      pipePath: `${lockDir}/${job}.pipe`,
      skipOnStop: false,
    },
    results,
  );
}

/** Milliseconds that what a dead run has started and left may still take, before its post-hooks no longer wait for it. */
const ORPHANS_MS = 3000;
/** Milliseconds after which the channels no longer wait for the post-hooks, as at the end of any run. */
const TELL_AFTER_MS = 60_000;

/**
 * For entry, which looks every second: runs the post-hooks that the dead run of `job` owes, and reports its death.
 * `deadMs`: how long it has been seen dead. Resolves to false when it must be looked at again. Throws LockFailure.
 */
export async function settleDeath(context: Context, stop: Stop, deadMs: number): Promise<boolean> {
  const { job, lockDir, lockPath, log, env } = context;
  const lock = await takeLock(lockPath, env);
  if (lock === undefined) {
    // The next run has it, or another container; or what the dead run left behind, which may go on for hours.
    const orphans = processesHolding(lockPath);
    if (deadMs < ORPHANS_MS || orphans.length === 0) return false;
    const names = orphans.map(({ name, pid }) => `${name} with pid ${pid}`).join(", ");
    log.warn(`The post-hooks of ${job} do not wait for what its dead run left running: ${names}.`);
  }
  let told: Promise<void> = Promise.resolve();
  try {
    const path = markerPath(lockDir, job);
    const died = readMark(path);
    // Another run has come and gone meanwhile.
    if (died === undefined || isRunning(died)) return true;
    if (lock !== undefined) signLock(lock, `pid ${process.pid}\nsince ${stamp(Date.now(), localZone())}\n`);
    const owed = claimOwed(path);
    const isNews = await recordDeath(context, died, Date.now());
    if (isNews) log.warn(deathText(died));
    const results: HookResult[] = [];
    const hooks = owed === undefined ? Promise.resolve() : runOwedHooks(context, stop, owed, results);
    if (isNews) told = within(TELL_AFTER_MS, hooks).then(() => tellDeath(context, stop, died, results));
    await hooks;
  } finally {
    if (lock?.fd !== undefined) {
      unsignLock(lock);
      closeSync(lock.fd);
    }
  }
  // Without the lock: the next run does not wait for a receiver that is slow.
  await told;
  return true;
}

async function tellDeath(
  context: Context,
  stop: Stop,
  died: RunMark,
  hooks: readonly HookResult[],
): Promise<void> {
  const alerts = hookAlerts(hooks);
  const record = {
    ...deathRecord(context, died, Date.now()),
    ...(alerts.length === 0 ? {} : { alerts }),
    hooks: [...hooks],
  };
  const notifier = await loadNotifier(context, stop, { died: false });
  await notifier?.tellDeath(record, deathTitle(context), () => skipsInARow(context.lockDir, context.job));
}

/** Of the mail about a death. */
export const deathTitle = ({ job, hostname }: Context): string => `[DIED] ${job} ${hostname}`;
