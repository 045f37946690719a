/** A repository's locks, as `restic list locks` and `restic cat lock` tell of them. Pure. */

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

/** The lock in what `restic cat lock <id>` printed; undefined when it is none. */
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
