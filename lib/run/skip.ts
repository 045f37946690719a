/** What is said and left behind when a run does not happen, because another one holds the lock. */

import { screaming } from "../config/settings.ts";
import type { Context } from "../context.ts";
import { reasonOf } from "../errors.ts";
import { leaveLastWords } from "../log/stdout.ts";
import { masked } from "../mask.ts";
import { Stop } from "../process/stop.ts";
import {
  countSkip,
  type LockHolder,
  processesHolding,
  processesHoldingDeleted,
  readLockHolder,
  SKIPS_MANY,
} from "../state/holder.ts";
import { isRunning, markerPath, type RunMark, readMark } from "../state/marker.ts";
import { recordHeader } from "../state/record.ts";
import { formatOrdinal, plural } from "../text.ts";
import { localZone, stamp } from "../time/zone.ts";
import { addToHistory, tellApart, writeSkipMetrics } from "./finish.ts";

/**
 * Logs and counts the skip. `exitCode` is what the caller will end with; `running` is the run that is in the
 * way, where the lock cannot tell, because it is ours.
 */
export async function skip(
  context: Context,
  lockPath: string,
  exitCode: number,
  running?: RunMark,
): Promise<void> {
  const now = Date.now();
  const { log, lockDir, identity } = context;
  const inARow = countSkip(lockDir, identity.job, stamp(now, localZone()));
  const again = inARow > 1 ? `; the ${formatOrdinal(inARow)} time in a row` : "";
  const holder = running === undefined ? signedOrMarked(context, lockPath) : holderFrom(running);
  const said = `${identity.job} skipped: previous run still active (${holderText(lockPath, holder)})${again}`;
  log.warn(said);
  if (exitCode !== 0) leaveLastWords(said);
  const record = {
    ...recordHeader(identity, now, now),
    exit_code: exitCode,
    status: "skipped" as const,
    skips_in_a_row: inARow,
    hooks: [],
  };
  await addToHistory(context, record);
  try {
    await writeSkipMetrics(context);
  } catch (error) {
    log.warn(`The metrics do not show this skip: ${reasonOf(error)}.`);
  }
  // Once in a row of them: a run that hangs says nothing itself.
  if (inARow === SKIPS_MANY) {
    const remedy = `If it hangs, stop it; ${screaming(identity.job)}_TIMEOUT ends such a run by itself.`;
    const alert = { kind: "skipped", message: `${said}. ${remedy}` };
    const stop = new Stop(() => 0);
    await tellApart(
      context,
      stop,
      masked({ ...record, alerts: [alert] }, context.mask),
      `[WARN] ${identity.job} ${identity.hostname} · skipped ${plural(inARow, "time")} in a row`,
    );
  }
}

/** `pid 1357 since 2026-05-11 09:00:00, lock /var/run/backup.lock`, and what keeps it if that process has died. */
function holderText(lockPath: string, holder: LockHolder): string {
  const since = holder.since === undefined ? "" : ` since ${holder.since}`;
  const shown = holder.pid === undefined ? `pid unknown${since}` : `pid ${holder.pid}${since}`;
  if (holder.alive) return `${shown}, lock ${lockPath}`;
  const processes = [...processesHolding(lockPath), ...processesHoldingDeleted(lockPath)].map(
    ({ pid, name }) => `${name} with pid ${pid}`,
  );
  if (holder.pid === undefined) {
    return `${[shown, ...processes].join(", ")}, lock ${lockPath}`;
  }
  const left =
    processes.length > 0
      ? `what it started still runs: ${processes.join(", ")}`
      : "what it started still runs";
  return `${shown}, which has died; ${left}; lock ${lockPath}`;
}

/** Somebody may have emptied the lock file, or taken it away: then the marker tells. */
function signedOrMarked({ lockDir, identity }: Context, lockPath: string): LockHolder {
  const signed = readLockHolder(lockPath);
  const mark = signed.pid === undefined ? readMark(markerPath(lockDir, identity.job)) : undefined;
  return mark === undefined ? signed : holderFrom(mark);
}

function holderFrom(mark: RunMark): LockHolder {
  const since = stamp(mark.started_epoch * 1000, localZone());
  return { pid: mark.pid, since, alive: isRunning(mark) };
}
