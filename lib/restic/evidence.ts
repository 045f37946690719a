/**
 * A lock of the repository as restic prints it, and the evidence for or against its process still being alive. Judging
 * is pure; `ownProcesses` supplies what it needs to know of this host.
 *
 * A lock names a host and a pid, and both can be another machine's or container's: two of one name happen. So a lock
 * that was refreshed a moment ago is taken for a living restic's, whatever this host shows of its pid; only our own
 * marker or history, which name the very process that died, prove more.
 */

import { systemHostname } from "../environment.ts";
import { errnoOf } from "../errors.ts";
import { epochOfTicks, processName, programFile, readStat } from "../process/proc.ts";
import { type DeadChild, deadChildren } from "../state/children.ts";
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

/** The lock in what `restic cat lock <id>` printed; undefined when that is not a lock. */
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

/** Milliseconds without a refresh, below which a lock is alive: restic refreshes every five minutes, and may be slow. */
export const FRESH_MS = 6 * 60 * 1000;

/** What this host shows of a pid. */
export type ProcessSeen =
  | { readonly state: "gone" }
  /** It has died, and its parent has not waited for it. */
  | { readonly state: "zombie"; readonly name: string }
  | {
      readonly state: "runs";
      readonly name: string;
      /** The file that it runs: a script that stands in front of restic may have restic's name. */
      readonly program: string;
      /** Epoch milliseconds; undefined when it is not known. */
      readonly startedMs: number | undefined;
      /** May we send it a signal? */
      readonly reachable: boolean;
    };

export interface OwnProcesses {
  /** The system's host name, which restic writes into its locks; not HOSTNAME. */
  readonly hostname: string;
  readonly nowMs: number;
  /** Children of our runs, known to be dead. */
  readonly dead: readonly DeadChild[];
  inspect(pid: number): ProcessSeen;
}

export interface Evidence {
  /**
   * dead: its process no longer exists; old: nothing refreshes it; living; unknown: it may be alive elsewhere;
   * unreadable: it is damaged, and restic ignores it (seen with 0.14, 0.18 and 0.19).
   */
  readonly verdict: "dead" | "old" | "living" | "unknown" | "unreadable";
  /** A clause to follow `stale: ` and the like. */
  readonly why: string;
  /** May `restic unlock` remove it? restic judges by its age, and by whether its pid accepts a SIGHUP. */
  readonly goes: boolean;
  /** What harm `restic unlock` would do to a living process, as a clause. */
  readonly harm?: string;
  /** When, in milliseconds from now, the same lock would be judged dead or old; undefined where only its end tells. */
  readonly staleInMs?: number;
}

/** A lock may become stale between our check and restic's. */
const SLACK_MS = 60_000;
/** Start times are known to a hundredth of a second, and the clock may have been set since. */
const YOUNGER_MS = 5000;

export function judgeLock(lock: RepositoryLock, host: OwnProcesses): Evidence {
  const age = host.nowMs - lock.timeMs;
  if (lock.hostname === host.hostname) return evidenceHere(lock, host, age);
  if (age > STALE_MS) return { verdict: "old", why: unrefreshed(age), goes: true };
  return {
    verdict: "unknown",
    why: `only ${lock.hostname} can tell whether its process still runs`,
    goes: comesOfAge(age),
    staleInMs: STALE_MS - age,
  };
}

function evidenceHere(lock: RepositoryLock, host: OwnProcesses, age: number): Evidence {
  const seen = host.inspect(lock.pid);
  const effect = unlockEffect(lock, seen, age);
  const proof = findDead(lock, host.dead);
  if (proof !== undefined) {
    const why = `its process, pid ${lock.pid}, was started by the run ${proof.runId}, and died here`;
    return { verdict: "dead", why, ...effect };
  }
  const gone = goneText(lock, seen);
  if (gone === undefined) {
    const name = seen.state === "runs" ? seen.name : "its process";
    const running = `${name} (pid ${lock.pid}) is running on this host`;
    if (age > STALE_MS)
      return { verdict: "old", why: `${unrefreshed(age)}, although ${running}`, goes: true };
    return { verdict: "living", why: running, ...effect, staleInMs: STALE_MS - age };
  }
  if (age > FRESH_MS) return { verdict: "dead", why: gone, ...effect };
  const refreshed = `it was refreshed ${formatDuration(age / 1000)} ago`;
  return {
    verdict: "unknown",
    why: `${refreshed}: although ${gone}, another machine or container may be named ${host.hostname} too`,
    goes: effect.goes,
    ...(effect.harm === undefined && effect.goes
      ? { harm: `it would remove a lock that a restic elsewhere may hold: ${refreshed}` }
      : effect),
    staleInMs: FRESH_MS - age,
  };
}

const unrefreshed = (age: number): string =>
  `not refreshed for ${formatDuration(age / 1000)}, and a running restic refreshes it every five minutes`;

const comesOfAge = (age: number): boolean => age > STALE_MS - SLACK_MS;

/** What `restic unlock` does about a lock of this host: it signals the pid, unless the lock is old. */
function unlockEffect(
  { pid }: RepositoryLock,
  seen: ProcessSeen,
  age: number,
): Pick<Evidence, "goes" | "harm"> {
  if (seen.state === "gone") return { goes: true };
  const goes = comesOfAge(age);
  if (seen.state === "zombie" || age > STALE_MS) return { goes };
  const named = `${seen.name} (pid ${pid})`;
  // restic takes a process that it may not signal for gone.
  if (!seen.reachable) {
    return isRestic(seen.program)
      ? {
          goes: true,
          harm: `it would take ${named}, which runs as another user, for dead and remove its lock`,
        }
      : { goes: true };
  }
  if (isRestic(seen.program)) return { goes };
  return { goes, harm: `it would send SIGHUP to ${named}, which it would take for the restic of this lock` };
}

/** How it is known that the process that took the lock is not there any more; undefined where it may be. */
function goneText(lock: RepositoryLock, seen: ProcessSeen): string | undefined {
  switch (seen.state) {
    case "gone":
      return `its process, pid ${lock.pid}, is gone from this host`;
    case "zombie":
      return `its process, pid ${lock.pid}, is a zombie on this host`;
    case "runs":
      return isAnother(seen, lock)
        ? `its pid ${lock.pid} belongs to ${seen.name} now, which started after the lock was last refreshed`
        : undefined;
  }
}

/** restic ignores SIGHUP; a program by any other name may end, or stop a run, as this one does. */
const isRestic = (name: string): boolean => /^restic(?:[-_.]?v?\d[\w.]*)?$/.test(name);

/** Our own child that has died and took this lock: it lived when the lock was last refreshed, and cannot be another's. */
function findDead(lock: RepositoryLock, dead: readonly DeadChild[]): DeadChild | undefined {
  return dead.find(
    ({ pid, startedMs, knownMs }) =>
      pid === lock.pid && startedMs < lock.timeMs + YOUNGER_MS && lock.timeMs < knownMs + YOUNGER_MS,
  );
}

export const UNREADABLE: Evidence = {
  verdict: "unreadable",
  why: "it cannot be read, and restic ignores it; --remove-all removes it",
  goes: false,
};

/** Has the pid been reused by another process since? A restarted container counts pids from 1 again. */
function isAnother(
  { program, startedMs }: ProcessSeen & { state: "runs" },
  { timeMs }: RepositoryLock,
): boolean {
  return !isRestic(program) && startedMs !== undefined && startedMs > timeMs + YOUNGER_MS;
}

export const isStale = ({ verdict }: Evidence): boolean => verdict === "dead" || verdict === "old";

/** Would `restic unlock` remove at least one lock, none but those that `may` go, and harm nobody? */
export function onlyTheseGo(found: readonly Evidence[], may: (each: Evidence) => boolean): boolean {
  const going = found.filter(({ goes }) => goes);
  return going.length > 0 && going.every(may) && found.every(({ harm }) => harm === undefined);
}

export function ownProcesses(lockDir: string, logDir: string): OwnProcesses {
  const nowMs = Date.now();
  return {
    hostname: systemHostname(),
    nowMs,
    dead: deadChildren(lockDir, logDir, nowMs),
    inspect: inspectProcess,
  };
}

function inspectProcess(pid: number): ProcessSeen {
  const reach = probePid(pid);
  if (reach === "gone") return { state: "gone" };
  const stat = readStat(pid);
  const name = processName(pid);
  if (stat?.state === "Z" || stat?.state === "X") return { state: "zombie", name };
  return {
    state: "runs",
    name,
    program: programFile(pid),
    startedMs: stat === undefined ? undefined : epochOfTicks(stat.ticks),
    reachable: reach === "ours",
  };
}

/** Asks kill(2), not /proc, which may hide other users' processes (hidepid). */
function probePid(pid: number): "gone" | "ours" | "another user's" {
  // kill(2) takes 0 and below for process groups.
  if (!Number.isInteger(pid) || pid <= 0) return "gone";
  try {
    process.kill(pid, 0);
    return "ours";
  } catch (error) {
    return errnoOf(error) === "EPERM" ? "another user's" : "gone";
  }
}
