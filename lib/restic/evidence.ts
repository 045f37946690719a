/**
 * A lock of the repository as restic prints it, and the evidence for or against its process still being alive. Judging
 * is pure; `ownProcesses` supplies what it needs to know of this host.
 */

import { readFileSync } from "node:fs";
import { systemHostname } from "../environment.ts";
import { errnoOf } from "../errors.ts";
import { statOf } from "../process/proc.ts";
import { formatDuration } from "../text.ts";

export interface RepositoryLock {
  /** When it was taken or last refreshed, in epoch milliseconds; restic refreshes every five minutes. */
  readonly timeMs: number;
  readonly exclusive: boolean;
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
}

/** restic itself calls a lock stale after this long without a refresh (its internal/restic, StaleLockTimeout). */
export const STALE_MS = 30 * 60 * 1000;

/** The ids in what `restic list locks` printed. */
export function lockIds(output: string): string[] {
  return output.split("\n").filter((line) => /^[0-9a-f]{64}$/.test(line));
}

/** The lock in what `restic cat lock <id>` printed; undefined when that is no lock. */
export function parseLock(output: string): RepositoryLock | undefined {
  try {
    const lock = JSON.parse(output) as Record<string, unknown>;
    const timeMs = Date.parse(String(lock.time));
    if (Number.isNaN(timeMs)) return undefined;
    return {
      timeMs,
      exclusive: lock.exclusive === true,
      hostname: String(lock.hostname ?? "?"),
      username: String(lock.username ?? "?"),
      pid: Number(lock.pid ?? 0),
    };
  } catch {
    // Not JSON: the lock was removed between the two calls, and restic said so instead.
    return undefined;
  }
}

/** What this host shows of a pid. */
export type ProcessSeen =
  | { readonly state: "gone" }
  /** It has died, and its parent has not waited for it. */
  | { readonly state: "zombie"; readonly name: string }
  | {
      readonly state: "runs";
      readonly name: string;
      /** Epoch milliseconds; undefined when it is not known. */
      readonly startedMs: number | undefined;
      /** May we send it a signal? */
      readonly reachable: boolean;
    };

export interface OwnProcesses {
  /** The system's host name, which restic writes into its locks; not HOSTNAME. */
  readonly hostname: string;
  readonly nowMs: number;
  inspect(pid: number): ProcessSeen;
}

export interface Evidence {
  /**
   * dead: its process no longer exists; old: nothing refreshes it; living; unknown: it belongs to another host;
   * unreadable: it is damaged, and restic ignores it (seen with 0.14, 0.18 and 0.19).
   */
  readonly verdict: "dead" | "old" | "living" | "unknown" | "unreadable";
  /** A clause to follow `stale: ` and the like. */
  readonly why: string;
  /** May `restic unlock` remove it? restic judges by its age, and by whether its pid accepts a SIGHUP. */
  readonly goes: boolean;
  /** What harm `restic unlock` would do to a living process, as a clause. */
  readonly harm?: string;
}

/** A lock may become stale between our check and restic's. */
const SLACK_MS = 60_000;
/** Start times are known to a hundredth of a second, and the clock may have been set since. */
const YOUNGER_MS = 5000;

export function evidenceOf(lock: RepositoryLock, host: OwnProcesses): Evidence {
  const age = host.nowMs - lock.timeMs;
  const isOld = age > STALE_MS;
  const comesOfAge = age > STALE_MS - SLACK_MS;
  const unrefreshed = `not refreshed for ${formatDuration(age / 1000)}, and a running restic refreshes it every five minutes`;
  if (lock.hostname !== host.hostname) {
    if (isOld) return { verdict: "old", why: unrefreshed, goes: true };
    const why = `only ${lock.hostname} can tell whether its process still runs`;
    return { verdict: "unknown", why, goes: comesOfAge };
  }
  const seen = host.inspect(lock.pid);
  switch (seen.state) {
    case "gone":
      return { verdict: "dead", why: `its process, pid ${lock.pid}, is gone from this host`, goes: true };
    case "zombie":
      return {
        verdict: "dead",
        why: `its process, pid ${lock.pid}, is a zombie on this host`,
        goes: comesOfAge,
      };
    case "runs": {
      const named = `${seen.name} (pid ${lock.pid})`;
      if (isAnother(seen, lock)) {
        const why = `its pid ${lock.pid} belongs to ${seen.name} now, which started after the lock was last refreshed`;
        const harm = `it would send SIGHUP to ${named}, which it would mistake for the restic that died`;
        // restic takes a process that it may not signal for gone.
        return {
          verdict: "dead",
          why,
          goes: comesOfAge || !seen.reachable,
          ...(seen.reachable ? { harm } : {}),
        };
      }
      if (isOld)
        return {
          verdict: "old",
          why: `${unrefreshed}, although ${named} is running on this host`,
          goes: true,
        };
      const harm = `it would take ${named}, which runs as another user, for dead and remove its lock`;
      return {
        verdict: "living",
        why: `${named} is running on this host`,
        goes: comesOfAge || !seen.reachable,
        ...(seen.reachable ? {} : { harm }),
      };
    }
  }
}

export const UNREADABLE: Evidence = {
  verdict: "unreadable",
  why: "it cannot be read, and restic ignores it; --remove-all removes it",
  goes: false,
};

/** Has the pid been reused by another process since? A restarted container counts pids from 1 again. */
function isAnother(
  { name, startedMs }: ProcessSeen & { state: "runs" },
  { timeMs }: RepositoryLock,
): boolean {
  return name !== "restic" && startedMs !== undefined && startedMs > timeMs + YOUNGER_MS;
}

export const isStale = ({ verdict }: Evidence): boolean => verdict === "dead" || verdict === "old";

/** Would `restic unlock` remove at least one lock, and only locks of this host whose process is dead? */
export function onlyDeadGo(found: readonly Evidence[]): boolean {
  const going = found.filter(({ goes }) => goes);
  return (
    going.length > 0 &&
    going.every(({ verdict }) => verdict === "dead") &&
    found.every(({ harm }) => harm === undefined)
  );
}

export const ownProcesses = (): OwnProcesses => ({
  hostname: systemHostname(),
  nowMs: Date.now(),
  inspect: inspectProcess,
});

function inspectProcess(pid: number): ProcessSeen {
  const reach = reachOf(pid);
  if (reach === "gone") return { state: "gone" };
  const stat = statOf(pid);
  const name = nameOf(pid);
  if (stat?.state === "Z" || stat?.state === "X") return { state: "zombie", name };
  return {
    state: "runs",
    name,
    startedMs: stat === undefined ? undefined : startOf(stat.ticks),
    reachable: reach === "ours",
  };
}

/** Asks kill(2), not /proc, which may hide other users' processes (hidepid). */
function reachOf(pid: number): "gone" | "ours" | "another user's" {
  // kill(2) takes 0 and below for process groups.
  if (!Number.isInteger(pid) || pid <= 0) return "gone";
  try {
    process.kill(pid, 0);
    return "ours";
  } catch (error) {
    return errnoOf(error) === "EPERM" ? "another user's" : "gone";
  }
}

/** Ticks in /proc are hundredths of a second since the boot (USER_HZ, proc_pid_stat(5)). */
function startOf(ticks: number): number | undefined {
  try {
    const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1];
    return boot === undefined ? undefined : Number(boot) * 1000 + ticks * 10;
  } catch {
    // No /proc: the start time is unknown.
    return undefined;
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    // It has just exited, or is hidden.
    return "a process";
  }
}
