/**
 * A repository's locks: reads them with `restic list locks` and `restic cat lock`, describes them, and removes stale ones.
 *
 * restic takes no list of the locks to remove, and `restic unlock` sends SIGHUP to the pids of this host that it finds in
 * them. So all of them are judged first, and it is run only where it would remove those that may go, no others, and hit
 * nobody else's process.
 */

import { EXIT } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { formatDuration, plural } from "../text.ts";
import { localZone, stamp } from "../time/zone.ts";
import {
  type Evidence,
  FRESH_MS,
  isStale,
  judgeLock,
  lockIds,
  type OwnProcesses,
  onlyTheseGo,
  ownProcesses,
  parseLock,
  type RepositoryLock,
  STALE_MS,
  UNREADABLE,
} from "./evidence.ts";
import type { Caller } from "./messages.ts";

export interface HeldLock {
  /** As restic shows it: the first eight digits. */
  readonly id: string;
  /** undefined when it cannot be read. */
  readonly lock: RepositoryLock | undefined;
  readonly evidence: Evidence;
}

export interface Listing {
  /** restic's; other than 0 when the locks could not be listed. */
  readonly exitCode: number;
  readonly locks: readonly HeldLock[];
}

/** Calls of restic at a time: each derives the repository's key, which takes a core and 60 MiB. */
const AT_ONCE = 2;

/** Where our own runs leave their markers and their history. */
export interface Places {
  readonly lockDir: string;
  readonly logDir: string;
}

/** Takes no lock itself. */
export async function readLocks(restic: Caller, places: Places): Promise<Listing> {
  const { exitCode, ids } = await listIds(restic);
  const rest = [...ids];
  const found: Read[] = [];
  while (rest.length > 0) {
    found.push(...(await allEnded(rest.splice(0, AT_ONCE).map((id) => readLock(restic, id)))));
  }
  const locks = judged(found, ownProcesses(places.lockDir, places.logDir));
  if (locks.every(({ lock }) => lock !== undefined)) return { exitCode, locks };
  // What could not be read may be damaged, or may have been removed since it was listed.
  const again = await listIds(restic);
  const isThere = ({ id }: HeldLock) => again.ids.some((each) => each.startsWith(id));
  return { exitCode, locks: locks.filter((each) => each.lock !== undefined || isThere(each)) };
}

type Read = Omit<HeldLock, "evidence">;

/** Where two locks name one pid, one of them may be of another machine: that a child of ours died proves nothing then. */
export function judged(found: readonly Read[], host: OwnProcesses): HeldLock[] {
  const named = (pid: number) =>
    found.filter(({ lock }) => lock?.pid === pid && lock.hostname === host.hostname).length;
  const sure = { ...host, dead: host.dead.filter(({ pid }) => named(pid) === 1) };
  return found.map(({ id, lock }) => ({
    id,
    lock,
    evidence: lock === undefined ? UNREADABLE : judgeLock(lock, sure),
  }));
}

/** What all of them resolve to. When one fails, the others have ended too before its error is thrown. */
async function allEnded<T>(calls: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(calls);
  return Promise.all(calls);
}

async function listIds(restic: Caller) {
  const { exitCode, text } = await callForText(restic, ["list", "locks"]);
  return { exitCode, ids: exitCode === EXIT.ok ? lockIds(text).sort() : [] };
}

async function readLock(restic: Caller, id: string): Promise<Read> {
  const { text } = await callForText(restic, ["cat", "lock", id]);
  return { id: id.slice(0, 8), lock: parseLock(text) };
}

async function callForText(restic: Caller, words: readonly string[]) {
  const lines: string[] = [];
  const { exitCode } = await restic.call([...words, "--no-lock"], { onLine: (line) => lines.push(line) });
  return { exitCode, text: lines.join("\n") };
}

/** Seconds since the lock was last refreshed, by the clock of this host. */
export const ageOf = ({ timeMs }: RepositoryLock): number =>
  Math.max(0, Math.round((Date.now() - timeMs) / 1000));

/** `lock 5ce8c2e7: shared, of root@larak with pid 35, refreshed 2026-05-11 09:00:00 (4m3s ago); stale: its process …` */
export function lockText({ id, lock, evidence }: HeldLock): string {
  if (lock === undefined) return `lock ${id}: ${evidence.why}.`;
  const kind = lock.exclusive ? "exclusive" : "shared";
  const when = `refreshed ${stamp(lock.timeMs, localZone())} (${formatDuration(ageOf(lock))} ago)`;
  const owner = `${lock.username}@${lock.hostname} with pid ${lock.pid}`;
  return `lock ${id}: ${kind}, of ${owner}, ${when}; ${verdictWord(evidence)}: ${evidence.why}.`;
}

function verdictWord(evidence: Evidence): string {
  if (isStale(evidence)) return "stale";
  return evidence.verdict === "living" ? "in use" : "possibly in use";
}

/** Which locks may go: STALE, those whose process is dead; ON, also those that nobody refreshed for 30 minutes. */
export type Allowed = "STALE" | "ON";

export interface Removal {
  readonly removed: boolean;
  /** When, in milliseconds from now, a lock that stays may be judged otherwise; undefined when time alone tells nothing. */
  readonly againInMs: number | undefined;
}

/**
 * Removes the locks that may go, provided that `restic unlock` would remove no others and harm nobody. Logs the locks
 * found and, where none was removed, the reason.
 */
export async function removeStaleLocks(
  restic: Caller,
  places: Places,
  allowed: Allowed,
  log: Log,
): Promise<Removal> {
  const before = await readLocks(restic, places);
  for (const lock of before.locks) log.info(lockText(lock));
  const may = ({ verdict }: Evidence) => verdict === "dead" || (allowed === "ON" && verdict === "old");
  if (
    !onlyTheseGo(
      before.locks.map(({ evidence }) => evidence),
      may,
    )
  ) {
    log.warn(
      `No lock was removed (RESTIC_AUTO_UNLOCK is ${allowed}): ${refusalText(before.locks, may, allowed)}`,
    );
    return { removed: false, againInMs: againInMs(before.locks, allowed) };
  }
  const { exitCode } = await restic.call(["unlock"]);
  const after = await readLocks(restic, places);
  if (exitCode !== EXIT.ok || after.exitCode !== EXIT.ok) {
    log.warn(
      `No lock was seen to go: restic unlock ended with ${exitCode}, the list of locks with ${after.exitCode}.`,
    );
    return { removed: false, againInMs: undefined };
  }
  const gone = before.locks.filter(({ id }) => !after.locks.some((lock) => lock.id === id));
  log.info(`Removed ${plural(gone.length, "stale lock")} (RESTIC_AUTO_UNLOCK is ${allowed}).`);
  return { removed: gone.length > 0, againInMs: againInMs(after.locks, allowed) };
}

/** The time until the first of them may be judged otherwise; to STALE a lock is dead or not, however old it is. */
function againInMs(locks: readonly HeldLock[], allowed: Allowed): number | undefined {
  const times = locks.flatMap(({ evidence: { staleInMs = Number.POSITIVE_INFINITY } }) =>
    staleInMs <= (allowed === "ON" ? STALE_MS : FRESH_MS) ? [Math.max(0, staleInMs)] : [],
  );
  // A second later, so that it is past the limit by then.
  return times.length === 0 ? undefined : Math.min(...times) + 1000;
}

function refusalText(locks: readonly HeldLock[], may: (each: Evidence) => boolean, allowed: Allowed): string {
  if (!locks.some(({ evidence }) => may(evidence))) {
    return allowed === "STALE"
      ? "none of them was left by a dead process of this host."
      : "none of them was left by a dead process of this host, or has not been refreshed for 30 minutes.";
  }
  const harmful = locks.find(({ evidence }) => evidence.harm !== undefined);
  if (harmful !== undefined)
    return `restic unlock is not safe: ${harmful.evidence.harm} (lock ${harmful.id}).`;
  const other = locks.find(({ evidence }) => evidence.goes && !may(evidence));
  if (other !== undefined)
    return `restic unlock would also remove lock ${other.id}, which was not left by a dead process of this host.`;
  return "restic takes the dead process for alive, and would not remove its lock.";
}
