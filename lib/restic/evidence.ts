/** What speaks for and against the life of whoever holds a repository's lock. Pure. */

import { formatDuration } from "../duration.ts";
import { type RepositoryLock, STALE_MS } from "./locks.ts";

/** What is seen of a pid on this host. */
export type ProcessSeen =
  | { readonly state: "gone" }
  /** It has died, and nobody has asked how. */
  | { readonly state: "zombie"; readonly name: string }
  | {
      readonly state: "runs";
      readonly name: string;
      /** Epoch milliseconds; undefined when it cannot be told. */
      readonly startedMs: number | undefined;
      /** May we send it a signal? */
      readonly reachable: boolean;
    };

export interface Here {
  /** The system's host name, which restic writes into its locks; not HOSTNAME. */
  readonly hostname: string;
  readonly nowMs: number;
  look(pid: number): ProcessSeen;
}

export interface Evidence {
  /**
   * dead: its process is not there any more; old: nobody refreshes it; living; unknown: another host's;
   * unreadable: damaged, restic passes over it (seen with 0.14, 0.18 and 0.19).
   */
  readonly verdict: "dead" | "old" | "living" | "unknown" | "unreadable";
  /** For use after `stale: ` and the like. */
  readonly why: string;
  /** May `restic unlock` take it away? It goes by its age, and by whether its pid takes a SIGHUP. */
  readonly goes: boolean;
  /** What `restic unlock` would do to somebody who is alive, as a clause. */
  readonly harm?: string;
}

/** A lock may come of age between our look at it and restic's. */
const SLACK_MS = 60_000;
/** Start times are known to a hundredth of a second, and the clock may have been set since. */
const YOUNGER_MS = 5000;

export function evidenceOf(lock: RepositoryLock, here: Here): Evidence {
  const age = here.nowMs - lock.timeMs;
  const isOld = age > STALE_MS;
  const comesOfAge = age > STALE_MS - SLACK_MS;
  const unrefreshed = `not refreshed for ${formatDuration(age / 1000)}, and a living restic refreshes it every five minutes`;
  if (lock.hostname !== here.hostname) {
    if (isOld) return { verdict: "old", why: unrefreshed, goes: true };
    const why = `only ${lock.hostname} knows whether its process still runs`;
    return { verdict: "unknown", why, goes: comesOfAge };
  }
  const seen = here.look(lock.pid);
  switch (seen.state) {
    case "gone":
      return { verdict: "dead", why: `its process, pid ${lock.pid}, is gone here`, goes: true };
    case "zombie":
      return { verdict: "dead", why: `its process, pid ${lock.pid}, is a zombie here`, goes: comesOfAge };
    case "runs": {
      const named = `${seen.name} (pid ${lock.pid})`;
      if (isAnother(seen, lock)) {
        const why = `its pid ${lock.pid} belongs to ${seen.name} now, which began after the lock was last refreshed`;
        const harm = `it would send SIGHUP to ${named}, which it takes for the restic that has died`;
        // It takes one that it may not signal for gone.
        return {
          verdict: "dead",
          why,
          goes: comesOfAge || !seen.reachable,
          ...(seen.reachable ? { harm } : {}),
        };
      }
      if (isOld) return { verdict: "old", why: `${unrefreshed}, although ${named} runs here`, goes: true };
      const harm = `it would take ${named}, which runs as another user, for dead and remove its lock`;
      return {
        verdict: "living",
        why: `${named} runs here`,
        goes: comesOfAge || !seen.reachable,
        ...(seen.reachable ? {} : { harm }),
      };
    }
  }
}

export const UNREADABLE: Evidence = {
  verdict: "unreadable",
  why: "it cannot be read, and restic passes over it; --remove-all removes it",
  goes: false,
};

/** Has the pid been given to another process since? A restarted container begins to count anew. */
function isAnother(
  { name, startedMs }: ProcessSeen & { state: "runs" },
  { timeMs }: RepositoryLock,
): boolean {
  return name !== "restic" && startedMs !== undefined && startedMs > timeMs + YOUNGER_MS;
}

export const isStale = ({ verdict }: Evidence): boolean => verdict === "dead" || verdict === "old";

/** Would `restic unlock` remove a lock, and none but those of this host whose process is dead? */
export function onlyDeadGo(found: readonly Evidence[]): boolean {
  const going = found.filter(({ goes }) => goes);
  return (
    going.length > 0 &&
    going.every(({ verdict }) => verdict === "dead") &&
    found.every(({ harm }) => harm === undefined)
  );
}
