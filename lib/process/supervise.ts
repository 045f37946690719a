/**
 * Waits for a child within its limits, and ends it and everything that it started when it exceeds them: a polite signal,
 * a time of grace, SIGKILL. The first cause of its end wins and is a fact, never a guess.
 */

import { type Family, familyMembers, isAlive, procIsReadable, programProcesses } from "./proc.ts";
import { type Child, type Exit, exitCodeOfSignal, type Signal, signal } from "./spawn.ts";
import { after, eventLoopTurn, type Stop, type StopBudget, sleep } from "./stop.ts";

export interface Limits {
  /** The polite signal: SIGTERM for hooks, SIGINT for restic and rclone. */
  readonly first: Signal;
  /** Milliseconds that it may take; undefined for any time. */
  readonly timeoutMs: number | undefined;
  /** Milliseconds from the polite signal to SIGKILL after a time-out. */
  readonly graceMs: number;
  readonly stop: Stop;
  readonly budget: StopBudget;
  /** Called when the time is over and the child alive, before it is asked to end: that may take all of the grace. */
  readonly onTimeOut?: (() => void) | undefined;
  /** Resolves when what the child prints cannot be taken any more: it would work for nothing. */
  readonly consumerFailed?: Promise<void>;
}

export interface Ended extends Exit {
  /** Why we ended it; undefined when it ended by itself, however late we learnt of it. */
  readonly cause: "timed out" | "stopped" | "consumer failed" | undefined;
}

/** Milliseconds that a killed process gets to be gone; one that sleeps in the kernel is then left behind. */
const GONE_MS = 1000;
/** Milliseconds that the news of an exit may take to reach us, even in a stop whose budget is used up. */
const NEWS_MS = 200;

export async function supervise(child: Child, family: Family, limits: Limits): Promise<Ended> {
  const { stop, budget } = limits;
  let cause: Ended["cause"];
  let ending: Promise<unknown> | undefined;
  let over = false;
  let given: (exit: Exit) => void = () => {};
  // A process in uninterruptible sleep (a dead NFS server) outlives SIGKILL. We must not wait for it.
  const lost = new Promise<Exit>((resolve) => {
    given = resolve;
  });

  const end = (why: NonNullable<Ended["cause"]>, msLeft: () => number) => {
    if (ending !== undefined || over) return;
    cause = why;
    if (why === "timed out") limits.onTimeOut?.();
    ending = terminate(family, { first: limits.first, msLeft });
    void ending
      .then(() => sleep(Math.max(NEWS_MS, Math.min(GONE_MS, stop.msUntil(1)))))
      .then(() => given({ code: exitCodeOfSignal("SIGKILL"), signal: "SIGKILL" }));
  };

  const graceFromNow = () => {
    const killAt = performance.now() + limits.graceMs;
    return () => Math.min(killAt - performance.now(), stop.msUntil(budget.killAt));
  };

  // We may have slept past the deadline (SIGSTOP, a machine suspended): the child may have ended long before.
  const timeOut = async () => {
    await eventLoopTurn();
    if (!procIsReadable() || isAlive(child.pid)) end("timed out", graceFromNow());
  };

  let cancelAsk: (() => void) | undefined;
  const forget = stop.listen(() => {
    cancelAsk?.();
    cancelAsk = after(stop.msUntil(budget.signalAt), () => end("stopped", () => stop.msUntil(budget.killAt)));
  });
  const cancelTimeout =
    limits.timeoutMs === undefined ? undefined : after(limits.timeoutMs, () => void timeOut());
  void limits.consumerFailed?.then(() => end("consumer failed", graceFromNow()));

  const exit = await Promise.race([child.exited, lost]);
  over = true;
  forget();
  cancelAsk?.();
  cancelTimeout?.();
  // The process itself is gone; what it started may still be ending.
  await ending;
  return { ...exit, cause };
}

export interface Termination {
  /** SIGTERM for hooks; SIGINT for restic and rclone, which then clean up behind themselves. */
  readonly first: Signal;
  /** Milliseconds still left until SIGKILL. Asked again while waiting: a stop may shorten them. */
  readonly msLeft: () => number;
}

/** Milliseconds between two looks at a family that was asked to end: doubled from the first to the most. */
const LOOK_MS = { first: 10, most: 160 };
/** A family that forks faster than it can be killed is given up after this many rounds of this many milliseconds. */
const ROUNDS = 50;
const ROUND_MS = 20;

/** Resolves when none of the family runs any more; `forced` says whether that took SIGKILL. */
export async function terminate(
  family: Family,
  { first, msLeft }: Termination,
): Promise<{ forced: boolean }> {
  signalFamily(family, first);
  let look = LOOK_MS.first;
  for (let left = msLeft(); left > 0; left = msLeft()) {
    if (!lives(family)) return { forced: false };
    await sleep(Math.min(look, left));
    look = Math.min(look * 2, LOOK_MS.most);
  }
  if (!lives(family)) return { forced: false };
  for (let round = 0; round < ROUNDS && lives(family); round++) {
    killNow(family);
    await sleep(ROUND_MS);
  }
  return { forced: true };
}

/** Sends SIGKILL to all of the family, once, without waiting. */
export function killNow(family: Family): void {
  signal(-family.leader, "SIGKILL");
  for (const { pid } of familyMembers(family)) signal(pid, "SIGKILL");
}

/**
 * SIGINT is for the program alone: restic works through others (rclone, ssh), often in its own group, and still
 * needs them to remove its lock. Any other signal is for all of the family.
 */
function signalFamily(family: Family, name: Signal): void {
  if (name === "SIGINT") {
    for (const pid of programProcesses(family)) signal(pid, name);
    return;
  }
  const strays = familyMembers(family).filter(({ group }) => group !== family.leader);
  signal(-family.leader, name);
  for (const { pid } of strays) signal(pid, name);
}

function lives(family: Family): boolean {
  // The kernel counts zombies as members of a group, so its word is taken only where /proc says nothing.
  return procIsReadable() ? familyMembers(family).length > 0 : signal(-family.leader, 0);
}
