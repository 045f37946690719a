/**
 * The stop of a run: SIGTERM, SIGINT or SIGHUP begin it, STOP_TIMEOUT bounds all of it, and a second signal
 * ends it at once.
 */

import { readFileSync } from "node:fs";
import type { Signal } from "./spawn.ts";

/** The signals that begin a stop, with their numbers, which POSIX fixes. */
const SIGNALS = [
  ["SIGTERM", 15],
  ["SIGINT", 2],
  ["SIGHUP", 1],
] as const satisfies readonly (readonly [Signal, number])[];

/** What may happen during a stop to something that runs, as shares of the budget since the first signal. */
export interface StopShare {
  /** When it is asked to end. */
  readonly ask: number;
  /** When it is killed. */
  readonly kill: number;
}

export class Stop {
  /** The first signal, once it has come. */
  signal: Signal | undefined;
  /** A second signal has come: nothing is waited for any more. */
  forced = false;
  private begun = 0;
  private budget = 0;
  private readonly listeners = new Set<() => void>();

  /** `budgetMs` is asked once, when the stop begins: an odd value is then complained of once. */
  constructor(private readonly budgetMs: () => number) {}

  /** From here on signals are taken. A signal that was ignored when we began (nohup) stays ignored. */
  install(): void {
    for (const [name, number] of SIGNALS) if (!wasIgnored(number)) process.on(name, () => this.receive(name));
  }

  /** Calls `listener` at the first and at the second signal, and at once when one has come already. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    if (this.signal !== undefined) listener();
    return () => this.listeners.delete(listener);
  }

  /** Milliseconds until this share of the budget is used up; endless while nobody has asked for a stop. */
  msUntil(share: number): number {
    if (this.signal === undefined) return Number.POSITIVE_INFINITY;
    return this.forced ? 0 : Math.max(0, this.begun + this.budget * share - performance.now());
  }

  private receive(name: Signal): void {
    if (this.signal === undefined) {
      this.signal = name;
      this.begun = performance.now();
      this.budget = this.budgetMs();
    } else {
      this.forced = true;
    }
    for (const listener of [...this.listeners]) listener();
  }
}

let ignored: bigint | undefined;

/** Was signal `number` ignored when we were started, as nohup(1) does it? Children are not told so by Bun. */
export function wasIgnored(number: number): boolean {
  ignored ??= ignoredSignals();
  return ((ignored >> BigInt(number - 1)) & 1n) === 1n;
}

/** The set of ignored signals as a bit mask, from /proc/self/status. */
function ignoredSignals(): bigint {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
    return BigInt(`0x${mask ?? "0"}`);
  } catch {
    // No /proc: signals are then taken as if none had been ignored.
    return 0n;
  }
}
