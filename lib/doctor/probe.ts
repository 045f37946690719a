/**
 * Section Repository probe: can restic open the repository, and is it locked? Every call has --no-lock and
 * --no-cache, without which restic would write a lock into the repository and a cache on this host.
 */

import { ConfigError } from "../errors.ts";
import type { Answer } from "../process/child.ts";
import { CannotStart } from "../process/spawn.ts";
import { lockIds, parseLock, type RepositoryLock, STALE_MS } from "../restic/evidence.ts";
import { type Access, saysNoBucket } from "../restic/messages.ts";
import { type ProbeStatus, parseProbe, untilSshIsHeard } from "../restic/open.ts";
import { accessOf } from "../restic/restic.ts";
import { formatDuration, plural } from "../text.ts";
import { stamp } from "../time/zone.ts";
import { Checks, type DoctorContext, type Findings } from "./checks.ts";

export interface ProbeJson {
  readonly status: "ok" | "fail" | "skipped";
  /** The same, more exactly. */
  readonly result: ProbeStatus;
  readonly repository: string | null;
  /** As restic since 0.17 would have given it; null when it was not called, or did not end by itself. */
  readonly restic_exit_code: number | null;
}

/** restic tries a dead network for a quarter of an hour; nobody waits so long for a diagnosis. */
const PROBE_MS = 30_000;
/** Locks beyond this number are only counted. */
const LOCKS_MOST = 5;
const QUIETLY = ["--no-lock", "--no-cache"];

/** A locked repository that opened is ok: its locks are checks of their own. */
const summaryOf = (result: ProbeStatus, code: number | null): ProbeJson["status"] =>
  result === "ok" || (result === "locked" && code === 0)
    ? "ok"
    : result === "not_configured"
      ? "skipped"
      : "fail";

export async function probe(patient: DoctorContext): Promise<Findings<ProbeJson>> {
  const checks = new Checks("Repository probe");
  const end = (status: ProbeStatus, repository: string | null, code: number | null) => ({
    checks: checks.list,
    json: { status: summaryOf(status, code), result: status, repository, restic_exit_code: code },
  });
  const access = findAccess(patient);
  if (typeof access === "string") {
    checks.info(`Not probed: ${access}`);
    return end("not_configured", null, null);
  }
  const { shown } = access;
  const restic = (words: readonly string[]) =>
    patient.ask(["restic", ...access.words, ...words, ...QUIETLY], PROBE_MS, access.env, saysNoBucket);
  try {
    // Both derive the key, which takes most of their time: side by side they take it once.
    const [config, locks] = await Promise.all([
      untilSshIsHeard(patient.stop, () => restic(["cat", "config"])),
      restic(["list", "locks"]),
    ]);
    const verdict = parseProbe(config, access, PROBE_MS);
    if (verdict.status === "ok") {
      const held = await readLocks(lockIds(locks.stdout), restic);
      return end(judgeLocks(checks, held, shown, patient), shown, verdict.code);
    }
    checks.add(verdict.status === "locked" ? "WARN" : "FAIL", verdict.message);
    return end(verdict.status, shown, verdict.code);
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    checks.info(`Not probed: ${error.message}`);
    return end("restic_missing", shown, null);
  }
}

/** How to reach the repository, or why that is not known. */
function findAccess(patient: DoctorContext): Access | string {
  try {
    return accessOf(patient, () => {});
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
}

interface Locks {
  readonly count: number;
  readonly described: readonly RepositoryLock[];
}

async function readLocks(
  ids: readonly string[],
  restic: (words: string[]) => Promise<Answer>,
): Promise<Locks> {
  const answers = await Promise.all(ids.slice(0, LOCKS_MOST).map((id) => restic(["cat", "lock", id])));
  const described = answers.map(({ stdout }) => parseLock(stdout)).filter((lock) => lock !== undefined);
  return { count: ids.length, described };
}

function judgeLocks(
  checks: Checks,
  { count, described }: Locks,
  shown: string,
  { nowMs, zone }: DoctorContext,
): ProbeStatus {
  const exclusive = described.some((lock) => lock.exclusive);
  checks.ok(`${shown} can be opened${count === 0 ? ", and nobody has locked it" : ""}.`);
  for (const { timeMs, exclusive, hostname, username, pid } of described) {
    const age = nowMs - timeMs;
    const what = `${exclusive ? "An exclusive lock" : "A shared lock"} of ${username}@${hostname}, pid ${pid}`;
    const when = `refreshed ${stamp(timeMs, zone)}, ${formatDuration(age / 1000)} ago`;
    if (age > STALE_MS)
      checks.warn(`${what}, ${when}: a running restic would have refreshed it. Run unlock.`);
    else if (exclusive) checks.warn(`${what}, ${when}: no other restic can work until it is gone.`);
    else checks.info(`${what}, ${when}: restic is at work there, or has died.`);
  }
  if (count > described.length)
    checks.info(`Not described here: ${plural(count - described.length, "more lock")}.`);
  return exclusive ? "locked" : "ok";
}
