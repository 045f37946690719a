/** unlock: `restic unlock`, with the locks listed before and after, and the evidence for each of them. */

import { EXIT } from "../errors.ts";
import { isStale } from "../restic/evidence.ts";
import { ageOf, type HeldLock, type Listing, lockText, readLocks } from "../restic/locks.ts";
import { REPOSITORY_EXITS } from "../restic/messages.ts";
import { RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import type { Flags, FlagValues } from "../run/command.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { formatDuration, plural } from "../text.ts";

const flags = {
  "remove-all": { type: "boolean", description: "remove the locks of living processes too" },
  "dry-run": { type: "boolean", description: "list the locks and say what would be done; remove none" },
} as const satisfies Flags;

const facts = {
  remove_all: { type: "switch", help: "--remove-all was given" },
  dry_run: { type: "switch", help: "--dry-run was given" },
  locks_before: { type: "count", help: "locks of the repository before" },
  locks_after: { type: "count", help: "locks of the repository afterwards" },
  locks: {
    type: "rows",
    help: "the locks before",
    fields: {
      id: { type: "string", help: "the lock's short id" },
      hostname: { type: "string", help: "the host that took it" },
      pid: { type: "integer", minimum: 0, help: "the process that took it" },
      username: { type: "string", help: "the user of that process" },
      age_seconds: { type: "integer", minimum: 0, help: "seconds since it was refreshed" },
      exclusive: { type: "switch", help: "it keeps every other restic out" },
      stale: { type: "switch", help: "it is evidently stale" },
      why: { type: "string", help: "what speaks for that, or against it" },
    },
  },
} as const satisfies Fields;

type UnlockFacts = FactsOf<typeof facts>;
type UnlockRun = Run<UnlockFacts>;

export default defineWorker({
  about:
    "Lists the locks of the repository: whose each is, when it was refreshed, and whether it is evidently stale (its " +
    "process is gone on this host and it was not refreshed for six minutes, or nobody refreshed it for 30). Then restic " +
    "removes the stale ones, unless that would harm a living process.",
  flags,
  environment: RESTIC_ENVIRONMENT,
  exits: [
    ["0", "the stale locks are removed, or there was none"],
    ["1", "restic failed, or its unlock would harm a process that is alive; nothing was removed"],
    REPOSITORY_EXITS[0],
    REPOSITORY_EXITS[2],
  ],
  facts,
  work: (run, invocation) => work(run, invocation.flags),
});

async function work(run: UnlockRun, given: FlagValues<typeof flags>): Promise<Outcome> {
  const all = given["remove-all"];
  const dryRun = given["dry-run"];
  const restic = new Restic(run);
  run.addFacts({ remove_all: all ? "ON" : "OFF", dry_run: dryRun ? "ON" : "OFF" });
  const before = await readLocks(restic, run.context);
  if (before.exitCode !== EXIT.ok) return failed(restic, before);
  show(run, restic, before.locks);

  const going = before.locks.filter(({ evidence }) => all || isStale(evidence));
  const harmful = all || going.length === 0 ? undefined : before.locks.find(({ evidence }) => evidence.harm);
  if (harmful !== undefined) {
    run.fail(
      `Nothing was removed: restic unlock takes no list of the locks to remove, and ${harmful.evidence.harm} (lock ` +
        `${harmful.id}). Try again when that one is released${againText(harmful)}; when no restic is at work anywhere, ` +
        "unlock --remove-all removes all locks without asking after their processes.",
    );
    return { exitCode: EXIT.failed };
  }
  if (dryRun || going.length === 0) {
    run.facts.locks_after = before.locks.length;
    const what = going.length === 0 ? "There is nothing to remove" : `${ids(going)} would be removed`;
    run.log.info(`${what}${dryRun ? " (--dry-run)" : ""}.`);
    return { exitCode: EXIT.ok };
  }
  return remove(run, restic, all);
}

function againText({ evidence: { staleInMs } }: HeldLock): string {
  return staleInMs === undefined ? "" : `, or in ${formatDuration(staleInMs / 1000)} if nobody refreshes it`;
}

function show({ log, facts }: UnlockRun, restic: Restic, locks: readonly HeldLock[]): void {
  facts.locks_before = locks.length;
  facts.locks = locks.map(buildLockFacts);
  log.info(`${plural(locks.length, "lock")} in ${restic.shown}${locks.length === 0 ? "." : ":"}`);
  for (const lock of locks) log.info(lockText(lock));
}

function buildLockFacts({ id, lock, evidence }: HeldLock): NonNullable<UnlockFacts["locks"]>[number] {
  const stale = isStale(evidence) ? "ON" : "OFF";
  if (lock === undefined) return { id, stale, why: evidence.why };
  const { hostname, pid, username } = lock;
  const exclusive = lock.exclusive ? "ON" : "OFF";
  return { id, hostname, pid, username, age_seconds: ageOf(lock), exclusive, stale, why: evidence.why };
}

async function remove(run: UnlockRun, restic: Restic, all: boolean): Promise<Outcome> {
  const { exitCode } = await restic.call(["unlock", ...(all ? ["--remove-all"] : [])]);
  if (exitCode !== EXIT.ok) return failed(restic, { exitCode });
  const after = await readLocks(restic, run.context);
  if (after.exitCode !== EXIT.ok) return failed(restic, after);
  run.facts.locks_after = after.locks.length;
  run.log.info(`Locks before: ${run.facts.locks_before}, after: ${after.locks.length}.`);
  if (after.locks.length > 0) run.log.info(`What stays is not evidently stale, or new: ${ids(after.locks)}.`);
  return { exitCode };
}

const ids = (locks: readonly HeldLock[]): string => locks.map(({ id }) => id).join(", ");

async function failed(restic: Restic, { exitCode }: Pick<Listing, "exitCode">): Promise<Outcome> {
  await restic.explainFailure("restic", exitCode);
  return { exitCode };
}
