/** What is said and left behind when a run does not happen, because another one holds the lock. */

import { formatOrdinal } from "../ordinal.ts";
import { stamp } from "../time/format.ts";
import { localZone } from "../time/zone.ts";
import { appendHistory, historyPath } from "./history.ts";
import { type Holder, holderOf, keepersOf } from "./lock.ts";
import type { RunMark } from "./marker.ts";
import { header } from "./record.ts";
import type { Scene } from "./scene.ts";
import { countSkip } from "./skips.ts";

/**
 * Logs and counts the skip. `exitCode` is what the caller will end with; `running` is the run that is in the
 * way, where the lock cannot tell, because it is ours.
 */
export function skip(scene: Scene, lockPath: string, exitCode: number, running?: RunMark): void {
  const now = Date.now();
  const { log, lockDir, logDir, identity } = scene;
  const inARow = countSkip(lockDir, identity.job, stamp(now, localZone()));
  const again = inARow > 1 ? `; the ${formatOrdinal(inARow)} time in a row` : "";
  log.warn(`${identity.job} skipped: previous run still active (${holderText(lockPath, running)})${again}`);
  try {
    appendHistory(logDir, {
      ...header(identity, now, now),
      exit_code: exitCode,
      status: "skipped",
      skips_in_a_row: inARow,
      hooks: [],
    });
  } catch (error) {
    log.lost(historyPath(logDir), error);
  }
}

/** `pid 1357 since 2026-05-11 09:00:00, lock /var/run/backup.lock`, and who keeps it if that one has died. */
function holderText(lockPath: string, running: RunMark | undefined): string {
  const holder: Holder = running === undefined ? holderOf(lockPath) : holderFrom(running);
  const since = holder.since === undefined ? "" : ` since ${holder.since}`;
  const who = holder.pid === undefined ? `pid unknown${since}` : `pid ${holder.pid}${since}`;
  if (holder.pid === undefined || holder.alive) return `${who}, lock ${lockPath}`;
  const keepers = keepersOf(lockPath).map(({ pid, name }) => `${name} with pid ${pid}`);
  const left =
    keepers.length > 0 ? `what it started still runs: ${keepers.join(", ")}` : "what it started still runs";
  return `${who}, which has died; ${left}; lock ${lockPath}`;
}

function holderFrom({ pid, started_epoch }: RunMark): Holder {
  return { pid, since: stamp(started_epoch * 1000, localZone()), alive: true };
}
