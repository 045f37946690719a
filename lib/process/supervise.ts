/** Waits for a child within its limits. The first cause of its end wins and is a fact, never a guess. */

import type { Family } from "./family.ts";
import type { Child, Exit, Signal } from "./spawn.ts";
import { exitCodeOfSignal } from "./spawn.ts";
import type { Stop, StopShare } from "./stop.ts";
import { terminate } from "./terminate.ts";
import { after, sleep } from "./timer.ts";

export interface Limits {
  /** The polite signal: SIGTERM for hooks, SIGINT for restic and rclone. */
  readonly first: Signal;
  /** Milliseconds that it may take; undefined for any time. */
  readonly timeoutMs: number | undefined;
  /** Milliseconds from the polite signal to SIGKILL after a time-out. */
  readonly graceMs: number;
  readonly stop: Stop;
  readonly share: StopShare;
  /** Resolves when the child works in vain. */
  readonly vain?: Promise<void>;
}

export interface Ended extends Exit {
  /** Why we ended it; undefined when it ended by itself. */
  readonly cause: "timed out" | "stopped" | "in vain" | undefined;
}

/** Milliseconds that a killed process gets to be gone; one that sleeps in the kernel is then left behind. */
const GONE_MS = 1000;
/** So long the news of an exit may take to reach us, even in a stop whose budget is used up. */
const NEWS_MS = 200;

export async function supervise(child: Child, family: Family, limits: Limits): Promise<Ended> {
  const { stop, share } = limits;
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
    ending = terminate(family, { first: limits.first, msLeft });
    void ending
      .then(() => sleep(Math.max(NEWS_MS, Math.min(GONE_MS, stop.msUntil(1)))))
      .then(() => given({ code: exitCodeOfSignal("SIGKILL"), signal: "SIGKILL" }));
  };

  const graceFromNow = () => {
    const killAt = performance.now() + limits.graceMs;
    return () => Math.min(killAt - performance.now(), stop.msUntil(share.kill));
  };

  let cancelAsk = () => {};
  const forget = stop.listen(() => {
    cancelAsk();
    cancelAsk = after(stop.msUntil(share.ask), () => end("stopped", () => stop.msUntil(share.kill)));
  });
  const cancelTimeout =
    limits.timeoutMs === undefined
      ? () => {}
      : after(limits.timeoutMs, () => end("timed out", graceFromNow()));
  void limits.vain?.then(() => end("in vain", graceFromNow()));

  const exit = await Promise.race([child.exited, lost]);
  over = true;
  forget();
  cancelAsk();
  cancelTimeout();
  // The process itself is gone; what it started may still be ending.
  await ending;
  return { ...exit, cause };
}
