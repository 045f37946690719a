/**
 * What becomes of a call that finds the repository locked: which process has the lock, which locks may go (RESTIC_AUTO_UNLOCK), and
 * how long the others are waited for (RESTIC_RETRY_LOCK). Loaded only then: most calls find no lock.
 *
 * The first call asks for no waiting, so that a run which meets nobody needs neither restic's version nor a word more.
 */

import { systemHostname } from "../environment.ts";
import type { Run } from "../run/run.ts";
import { runOfChild } from "../state/children.ts";
import { formatDuration } from "../text.ts";
import { stamp } from "../time/zone.ts";
import { type Allowed, removeStaleLocks } from "./locks.ts";
import type { Access } from "./messages.ts";
import { type Caller, type LockOwner, RESTIC, type ResticEnd } from "./messages.ts";
import { isSince, probeRepository, resticVersion } from "./open.ts";

/** restic has --retry-lock since then. */
const RETRY_SINCE = "0.16.0";

/** Milliseconds between two tries by ourselves: restic's own (its lock.go, retrySleepStart and retrySleepMax). */
const PAUSE_MS = { first: 5000, most: 60_000 };

/** Milliseconds after which the locks are looked at again at the latest: the holder of one may have died. */
const LOOK_MS = 120_000;

export interface Contended {
  readonly run: Run;
  readonly restic: Caller;
  /** Seconds that the lock is waited for; 0 for not at all. */
  readonly wait: number;
  /** Who was in the way last, where restic has named it. */
  readonly owner: () => LockOwner | undefined;
  /** Tries the call again, with these words added. */
  readonly attempt: (more: readonly string[]) => Promise<ResticEnd>;
}

/** Goes on from the exit code 11 until the call has had its turn, or nothing is left to be tried. Throws Stopped. */
export async function outlast(locked: ResticEnd, contended: Contended): Promise<ResticEnd> {
  const { run, restic, wait, attempt } = contended;
  const until = performance.now() + wait * 1000;
  const allowed = run.settings.choice("RESTIC_AUTO_UNLOCK");
  let end = locked;
  let lookAt = allowed === "OFF" ? Number.POSITIVE_INFINITY : 0;
  let waits: ((most: number) => Promise<ResticEnd>) | undefined;
  for (;;) {
    if (allowed !== "OFF" && performance.now() >= lookAt) {
      const { removed, againInMs } = await removeStaleLocks(restic, run.context, allowed, run.log);
      lookAt = performance.now() + Math.min(againInMs ?? LOOK_MS, LOOK_MS);
      if (removed) {
        run.log.info("Trying again.");
        end = await attempt([]);
        if (end.exitCode !== RESTIC.locked) return end;
      }
    }
    const left = until - performance.now();
    if (left <= 0) return end;
    if (waits === undefined) {
      run.log.info(
        `The repository is locked by ${holderText(run, contended.owner())}; waiting for it for up to ` +
          `${formatDuration(wait)} (RESTIC_RETRY_LOCK).`,
      );
      waits = await waiting(contended);
    }
    end = await waits(Math.min(left, lookAt - performance.now()));
    if (end.exitCode !== RESTIC.locked) return end;
  }
}

/** One wait of at most `most` milliseconds, with a try at its end: restic's own where it can, else ours. */
async function waiting({ run, attempt }: Contended): Promise<(most: number) => Promise<ResticEnd>> {
  const version = await resticVersion(run);
  if (version !== undefined && isSince(version, RETRY_SINCE)) {
    return (most) => attempt([`--retry-lock=${Math.max(1, Math.ceil(most / 1000))}s`]);
  }
  let pause = PAUSE_MS.first;
  return async (most) => {
    await run.wait(Math.min(pause, most));
    pause = Math.min(2 * pause, PAUSE_MS.most);
    return attempt([]);
  };
}

/** `our own prune (pid 1357, since 2026-05-11 09:00:00)`, `another restic (pid 35 on larak)`. */
export function holderText(run: Run, owner: LockOwner | undefined): string {
  if (owner === undefined) return "another restic";
  const { context } = run;
  const own = owner.hostname === systemHostname() ? runOfChild(context.lockDir, owner.pid) : undefined;
  if (own === undefined) return `another restic (pid ${owner.pid} on ${owner.hostname})`;
  const since = stamp(own.mark.started_epoch * 1000, context.zone);
  return `our own ${own.job} (pid ${own.mark.pid}, since ${since})`;
}

/**
 * After a failure that is not a lock in the way: removes stale locks where the repository can be opened. A probe, which
 * is bounded, is asked first, since restic itself tries a dead network for a quarter of an hour.
 */
export async function tidyUp(run: Run, restic: Caller & { access: Access }, allowed: Allowed): Promise<void> {
  const probe = await probeRepository(restic.access, run.context.env, run.stop);
  run.throwIfStopping();
  if (probe.status !== "ok") {
    run.log.info(`No lock was removed, since the repository cannot be opened: ${probe.message}`);
    return;
  }
  await removeStaleLocks(restic, run.context, allowed, run.log);
}
