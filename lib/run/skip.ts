/** What is said and left behind when a run does not happen, because another one holds the lock. */

import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { formatOrdinal } from "../ordinal.ts";
import { leaveLastWords } from "../termination.ts";
import { stamp } from "../time/format.ts";
import { localZone } from "../time/zone.ts";
import { appendHistory } from "./history.ts";
import { holderOf, keepersOf } from "./lock.ts";
import { header } from "./record.ts";
import type { Scene } from "./scene.ts";
import { countSkip } from "./skips.ts";

/** Logs and counts the skip. `exitCode` is what the caller will end with. */
export function skip(scene: Scene, lockPath: string, exitCode: number): void {
  const now = Date.now();
  const { log, lockDir, logDir, identity } = scene;
  const inARow = countSkip(lockDir, identity.job, stamp(now, localZone()));
  const again = inARow > 1 ? `; the ${formatOrdinal(inARow)} time in a row` : "";
  const said = `${identity.job} skipped: previous run still active (${holderText(lockPath)})${again}`;
  log.warn(said);
  if (exitCode !== 0) leaveLastWords(said);
  try {
    appendHistory(logDir, {
      ...header(identity, now, now),
      exit_code: exitCode,
      status: "skipped",
      skips_in_a_row: inARow,
      hooks: [],
    });
  } catch (error) {
    warnOfHistory(log, logDir, error);
  }
}

export function warnOfHistory(log: Log, logDir: string, error: unknown): void {
  log.warn(`${logDir}/history.jsonl could not be written: ${reasonOf(error)}. This run is missing in it.`);
}

/** `pid 1357 since 2026-05-11 09:00:00, lock /var/run/backup.lock`, and who keeps it if that one has died. */
function holderText(lockPath: string): string {
  const holder = holderOf(lockPath);
  const since = holder.since === undefined ? "" : ` since ${holder.since}`;
  const who = holder.pid === undefined ? `pid unknown${since}` : `pid ${holder.pid}${since}`;
  if (holder.pid === undefined || holder.alive) return `${who}, lock ${lockPath}`;
  const keepers = keepersOf(lockPath).map(({ pid, name }) => `${name} with pid ${pid}`);
  const left =
    keepers.length > 0 ? `what it started still runs: ${keepers.join(", ")}` : "what it started still runs";
  return `${who}, which has died; ${left}; lock ${lockPath}`;
}
