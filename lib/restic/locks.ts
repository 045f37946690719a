/** A repository's locks: reads them with `restic list locks` and `restic cat lock`, describes them, removes dead ones. */

import { EXIT } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { formatDuration, plural } from "../text.ts";
import { localZone, stamp } from "../time/zone.ts";
import {
  type Evidence,
  evidenceOf,
  isStale,
  lockIds,
  onlyDeadGo,
  ownProcesses,
  parseLock,
  type RepositoryLock,
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

/** Takes no lock itself. */
export async function readLocks(restic: Caller): Promise<Listing> {
  const { exitCode, ids } = await listIds(restic);
  const rest = [...ids];
  const found: HeldLock[] = [];
  while (rest.length > 0) {
    found.push(...(await allEnded(rest.splice(0, AT_ONCE).map((id) => readLock(restic, id)))));
  }
  if (found.every(({ lock }) => lock !== undefined)) return { exitCode, locks: found };
  // What could not be read may be damaged, or may have been removed since it was listed.
  const again = await listIds(restic);
  const isThere = ({ id }: HeldLock) => again.ids.some((each) => each.startsWith(id));
  return { exitCode, locks: found.filter((each) => each.lock !== undefined || isThere(each)) };
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

async function readLock(restic: Caller, id: string): Promise<HeldLock> {
  const { text } = await callForText(restic, ["cat", "lock", id]);
  const lock = parseLock(text);
  return {
    id: id.slice(0, 8),
    lock,
    evidence: lock === undefined ? UNREADABLE : evidenceOf(lock, ownProcesses()),
  };
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

/**
 * Removes the locks of this host whose process is dead, provided that `restic unlock` would remove no others. Returns
 * whether a lock was removed. Logs the locks found and, where none was removed, the reason.
 */
export async function removeDeadLocks(restic: Caller, log: Log): Promise<boolean> {
  const before = await readLocks(restic);
  for (const lock of before.locks) log.info(lockText(lock));
  if (!onlyDeadGo(before.locks.map(({ evidence }) => evidence))) {
    log.warn(`No lock was removed (RESTIC_AUTO_UNLOCK is STALE): ${refusalText(before.locks)}`);
    return false;
  }
  const { exitCode } = await restic.call(["unlock"]);
  const after = await readLocks(restic);
  if (exitCode !== EXIT.ok || after.exitCode !== EXIT.ok) return false;
  const gone = before.locks.filter(({ id }) => !after.locks.some((lock) => lock.id === id));
  log.info(
    `Removed ${plural(gone.length, "lock")} whose process on this host is dead (RESTIC_AUTO_UNLOCK is STALE).`,
  );
  return gone.length > 0;
}

function refusalText(locks: readonly HeldLock[]): string {
  const harm = locks.find(({ evidence }) => evidence.harm !== undefined)?.evidence.harm;
  if (harm !== undefined) return `restic unlock is not safe: ${harm}.`;
  const old = locks.find(({ evidence: { goes, verdict } }) => goes && verdict !== "dead");
  if (old !== undefined)
    return `restic unlock would also remove lock ${old.id}, which was not left by a dead process of this host.`;
  return "none of them was left by a dead process of this host.";
}
